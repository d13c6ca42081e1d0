//! Setting up and changing carriers.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use entity::ids::CarrierId;

use super::Carrier;
use super::settings::{SmppAccountChangeInput, SmppAccountInput};
use crate::carriers::errors::ErrorTableFault;
use crate::carriers::registry::{
    self, AddRejection, CarrierChange, ChangeRejection, NewCarrier, SettingsFault,
};
use crate::carriers::smpp::ConfigError;
use crate::ctx::Ctx;
use crate::graphql::call;
use crate::graphql::errors::{Answer, user_error, value_or_rejection};
use crate::graphql::ids::parse_id;
use crate::types::secret::SecretText;

/// What `addCarrier` takes.
#[derive(InputObject)]
pub struct AddCarrierInput {
    /// Its name, unique, 1 to 100 characters.
    pub name: String,
    /// Its SMPP account.
    pub smpp: SmppAccountInput,
}

/// What `addCarrier` answers.
#[derive(SimpleObject)]
pub struct AddCarrierPayload {
    /// The new carrier; null if it was not set up.
    carrier: Option<Carrier>,
    /// Why not; empty if it was.
    user_errors: Vec<AddCarrierError>,
}

user_error! {
    /// Why a carrier was not set up.
    AddCarrierError,
    /// Why a carrier was not set up, for a program to read.
    AddCarrierErrorCode {
        /// The name is empty or longer than 100 characters.
        InvalidName,
        /// There is a carrier of this name.
        NameTaken,
        /// A setting that cannot be used; `path` says which.
        InvalidSetting,
        /// The table of errors has too many entries, or one that cannot be used; `path` says which.
        InvalidErrorTable,
        /// There are as many carriers as there may be: 500.
        TooManyCarriers,
    }
}

/// What `updateCarrier` takes. What is absent stays.
#[derive(InputObject)]
pub struct UpdateCarrierInput {
    /// The carrier, `carr_…`.
    pub carrier_id: ID,
    /// Another name, unique, 1 to 100 characters.
    pub name: Option<String>,
    /// Changes to its SMPP account.
    pub smpp: Option<SmppAccountChangeInput>,
}

/// What `updateCarrier` answers.
#[derive(SimpleObject)]
pub struct UpdateCarrierPayload {
    /// The carrier as it is now; null if it was not changed.
    carrier: Option<Carrier>,
    /// Why not; empty if it was.
    user_errors: Vec<UpdateCarrierError>,
}

user_error! {
    /// Why a carrier was not changed.
    UpdateCarrierError,
    /// Why a carrier was not changed, for a program to read.
    UpdateCarrierErrorCode {
        /// There is no such carrier.
        CarrierNotFound,
        /// The built-in simulator cannot be changed.
        BuiltInCarrier,
        /// The name is empty or longer than 100 characters.
        InvalidName,
        /// There is a carrier of this name.
        NameTaken,
        /// A setting that cannot be used; `path` says which.
        InvalidSetting,
        /// The table of errors has too many entries, or one that cannot be used; `path` says which.
        InvalidErrorTable,
    }
}

/// What `enableCarrier` takes.
#[derive(InputObject)]
pub struct EnableCarrierInput {
    /// The carrier, `carr_…`.
    pub carrier_id: ID,
}

/// What `enableCarrier` answers.
#[derive(SimpleObject)]
pub struct EnableCarrierPayload {
    /// The carrier as it is now; null if it was not enabled.
    carrier: Option<Carrier>,
    /// Why not; empty if it was.
    user_errors: Vec<EnableCarrierError>,
}

user_error! {
    /// Why a carrier was not enabled.
    EnableCarrierError,
    /// Why a carrier was not enabled, for a program to read.
    EnableCarrierErrorCode {
        /// There is no such carrier.
        CarrierNotFound,
        /// The built-in simulator is always enabled.
        BuiltInCarrier,
    }
}

/// What `disableCarrier` takes.
#[derive(InputObject)]
pub struct DisableCarrierInput {
    /// The carrier, `carr_…`.
    pub carrier_id: ID,
}

/// What `disableCarrier` answers.
#[derive(SimpleObject)]
pub struct DisableCarrierPayload {
    /// The carrier as it is now; null if it was not disabled.
    carrier: Option<Carrier>,
    /// Why not; empty if it was.
    user_errors: Vec<DisableCarrierError>,
}

user_error! {
    /// Why a carrier was not disabled.
    DisableCarrierError,
    /// Why a carrier was not disabled, for a program to read.
    DisableCarrierErrorCode {
        /// There is no such carrier.
        CarrierNotFound,
        /// The built-in simulator cannot be disabled.
        BuiltInCarrier,
    }
}

/// Writes.
#[derive(Default)]
pub struct CarriersMutation;

#[Object]
impl CarriersMutation {
    /// Sets up a carrier, enabled; it is connected within a second. Messages take it once a route
    /// leads to it. For the operator's owners and admins. Not idempotent: a second carrier of the
    /// name answers `NAME_TAKEN` and changes nothing.
    async fn add_carrier(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The carrier.")] input: AddCarrierInput,
    ) -> Answer<AddCarrierPayload> {
        let settings = input.smpp.settings();
        let password = SecretText::new(input.smpp.password);
        let new = NewCarrier { name: input.name, settings, password };
        Ok(match value_or_rejection(registry::add(call(context)?, new).await)? {
            Ok(row) => AddCarrierPayload { carrier: Some(Carrier(row)), user_errors: Vec::new() },
            Err(rejection) => {
                AddCarrierPayload { carrier: None, user_errors: vec![add_error(&rejection)] }
            }
        })
    }

    /// Changes a carrier; its connections are made anew within a second. For the operator's owners
    /// and admins. Idempotent.
    async fn update_carrier(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which carrier, and the changes.")] input: UpdateCarrierInput,
    ) -> Answer<UpdateCarrierPayload> {
        let ctx = call(context)?;
        let id = parse_id(&input.carrier_id)?;
        let change = change_of(ctx, id, input).await?;
        Ok(match value_or_rejection(registry::change(ctx, id, change).await)? {
            Ok(row) => {
                UpdateCarrierPayload { carrier: Some(Carrier(row)), user_errors: Vec::new() }
            }
            Err(rejection) => {
                UpdateCarrierPayload { carrier: None, user_errors: vec![update_error(&rejection)] }
            }
        })
    }

    /// Hands messages to a carrier again, and lets its routes count. For the operator's owners and
    /// admins. Idempotent.
    async fn enable_carrier(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which carrier.")] input: EnableCarrierInput,
    ) -> Answer<EnableCarrierPayload> {
        let id = parse_id(&input.carrier_id)?;
        Ok(match value_or_rejection(registry::enable(call(context)?, id).await)? {
            Ok(row) => {
                EnableCarrierPayload { carrier: Some(Carrier(row)), user_errors: Vec::new() }
            }
            Err(rejection) => {
                let code = match rejection {
                    ChangeRejection::BuiltIn => EnableCarrierErrorCode::BuiltInCarrier,
                    _ => EnableCarrierErrorCode::CarrierNotFound,
                };
                let error = EnableCarrierError::new(code, &["carrierId"], rejection);
                EnableCarrierPayload { carrier: None, user_errors: vec![error] }
            }
        })
    }

    /// Hands no more messages to a carrier and disconnects from it. Its routes do not count while it
    /// is disabled; what waits for it stays queued until it is enabled again or expires. For the
    /// operator's owners and admins. Idempotent.
    async fn disable_carrier(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which carrier.")] input: DisableCarrierInput,
    ) -> Answer<DisableCarrierPayload> {
        let id = parse_id(&input.carrier_id)?;
        Ok(match value_or_rejection(registry::disable(call(context)?, id).await)? {
            Ok(row) => {
                DisableCarrierPayload { carrier: Some(Carrier(row)), user_errors: Vec::new() }
            }
            Err(rejection) => {
                let code = match rejection {
                    ChangeRejection::BuiltIn => DisableCarrierErrorCode::BuiltInCarrier,
                    _ => DisableCarrierErrorCode::CarrierNotFound,
                };
                let error = DisableCarrierError::new(code, &["carrierId"], rejection);
                DisableCarrierPayload { carrier: None, user_errors: vec![error] }
            }
        })
    }
}

/// The change that an input asks for. Of a carrier that is not there, or has no SMPP account, the
/// settings are left out: the command says what is wrong.
async fn change_of(ctx: &Ctx, id: CarrierId, input: UpdateCarrierInput) -> Answer<CarrierChange> {
    let Some(smpp) = input.smpp else {
        return Ok(CarrierChange { name: input.name, ..CarrierChange::default() });
    };
    let before = match registry::find(ctx, id).await? {
        Some(row) => registry::smpp_settings(&row)?,
        None => None,
    };
    Ok(CarrierChange {
        name: input.name,
        settings: before.map(|settings| smpp.apply(settings)),
        password: smpp.password.map(SecretText::new),
    })
}

fn add_error(rejection: &AddRejection) -> AddCarrierError {
    use AddCarrierErrorCode as Code;
    let (code, path): (_, Vec<String>) = match rejection {
        AddRejection::InvalidName => (Code::InvalidName, names(&["name"])),
        AddRejection::NameTaken => (Code::NameTaken, names(&["name"])),
        AddRejection::Settings(SettingsFault::Smpp(fault)) => {
            (Code::InvalidSetting, names(&["smpp", field(fault)]))
        }
        AddRejection::Settings(SettingsFault::ErrorTable(fault)) => {
            (Code::InvalidErrorTable, error_table_path(*fault))
        }
        AddRejection::TooMany => (Code::TooManyCarriers, Vec::new()),
    };
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    AddCarrierError::new(code, &path, rejection)
}

fn update_error(rejection: &ChangeRejection) -> UpdateCarrierError {
    use UpdateCarrierErrorCode as Code;
    let (code, path): (_, Vec<String>) = match rejection {
        ChangeRejection::NotFound => (Code::CarrierNotFound, names(&["carrierId"])),
        ChangeRejection::BuiltIn => (Code::BuiltInCarrier, names(&["carrierId"])),
        ChangeRejection::InvalidName => (Code::InvalidName, names(&["name"])),
        ChangeRejection::NameTaken => (Code::NameTaken, names(&["name"])),
        ChangeRejection::Settings(SettingsFault::Smpp(fault)) => {
            (Code::InvalidSetting, names(&["smpp", field(fault)]))
        }
        ChangeRejection::Settings(SettingsFault::ErrorTable(fault)) => {
            (Code::InvalidErrorTable, error_table_path(*fault))
        }
    };
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    UpdateCarrierError::new(code, &path, rejection)
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// The place in the input that a fault of the table of errors is about.
fn error_table_path(fault: ErrorTableFault) -> Vec<String> {
    let mut path = names(&["smpp", "errorTable"]);
    match fault {
        ErrorTableFault::TooMany => {}
        ErrorTableFault::Value { index }
        | ErrorTableFault::Throttling { index }
        | ErrorTableFault::Repeated { index } => {
            path.extend([index.to_string(), "value".to_owned()])
        }
        ErrorTableFault::Code { index } => path.extend([index.to_string(), "code".to_owned()]),
    }
    path
}

/// The input's name for the setting that an error is about.
fn field(error: &ConfigError) -> &'static str {
    match error {
        ConfigError::Address => "address",
        ConfigError::Rate => "ratePartsPerSecond",
        ConfigError::Text { field, .. } | ConfigError::Range { field, .. } => match *field {
            "system_id" => "systemId",
            "system_type" => "systemType",
            other => other,
        },
    }
}
