//! An SMPP account as the contract shows and takes it.

use async_graphql::{Enum, InputObject, MaybeUndefined, SimpleObject};

use crate::carriers::CarrierErrorKind;
use crate::carriers::errors::ErrorMapping;
use crate::carriers::registry::SmppSettings;
use crate::carriers::smpp::receipt_id;
use crate::carriers::smpp::{Bind, TlsConfig, TlsRoots, Window};

/// Which connections a bind is made of.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "Bind")]
pub enum SmppBindMode {
    /// One connection for both directions (`bind_transceiver`).
    Transceiver,
    /// One connection each way (`bind_transmitter` and `bind_receiver`).
    TransmitterReceiver,
}

/// How a carrier's receipts write the message ids that its answers gave.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "receipt_id::ReceiptIdForm")]
pub enum ReceiptIdForm {
    /// As the answer wrote them.
    AsWritten,
    /// In other capitals.
    AnyCase,
    /// With leading zeros that the answer had not.
    ZeroPadded,
    /// In decimal, where the answer had hexadecimal.
    Decimal,
    /// In hexadecimal, where the answer had decimal.
    Hexadecimal,
}

/// Where a carrier's error number stands.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "CarrierErrorKind")]
pub enum CarrierErrorSource {
    /// `command_status` of the answer to a submission (SMPP 3.4, 5.1.3).
    CommandStatus,
    /// The `err:` field of a receipt.
    ReceiptError,
    /// The `network_error_code` of a receipt (TLV 0x0423), or the `error_code` of an answer to
    /// `query_sm`.
    NetworkError,
}

/// What a carrier means by one of its error numbers.
#[derive(SimpleObject, Clone, Debug)]
pub struct CarrierErrorMapping {
    /// Where the number stands.
    source: CarrierErrorSource,
    /// The number, from 1.
    value: i32,
    /// What it means: the code that messages show, which the default table describes.
    code: String,
}

impl From<ErrorMapping> for CarrierErrorMapping {
    fn from(mapping: ErrorMapping) -> Self {
        // A stored value was checked against ERROR_VALUE_MAX.
        let value = i32::try_from(mapping.value).unwrap_or(i32::MAX);
        Self { source: mapping.source.into(), value, code: mapping.code }
    }
}

/// What a carrier means by one of its error numbers.
#[derive(InputObject, Clone)]
pub struct CarrierErrorMappingInput {
    /// Where the number stands.
    pub source: CarrierErrorSource,
    /// The number, from 1. Not 20 or 88 of `COMMAND_STATUS`: these throttle, and the part is
    /// always sent again.
    pub value: i32,
    /// What it means, one of the codes that messages show: `CARRIER_…` for `COMMAND_STATUS`,
    /// `RECEIPT_…` for the others.
    pub code: String,
}

impl From<&CarrierErrorMappingInput> for ErrorMapping {
    /// What is out of range becomes 0, which no value may be.
    fn from(input: &CarrierErrorMappingInput) -> Self {
        Self {
            source: input.source.into(),
            value: u32::try_from(input.value).unwrap_or(0),
            code: input.code.clone(),
        }
    }
}

/// An SMPP 3.4 account, without its password.
#[derive(SimpleObject, Clone, Debug)]
pub struct SmppAccount {
    /// The host and the port, `smpp.example.com:2775`.
    address: String,
    /// The system id, up to 15 ASCII characters.
    system_id: String,
    /// The system type, up to 12 ASCII characters; most carriers want it empty.
    system_type: String,
    /// Which connections a bind is made of.
    bind_mode: SmppBindMode,
    /// How many binds, 1 to 50.
    binds: i32,
    /// How many submissions may wait for their answers on one bind, 1 to 1,000; null: as many as
    /// the rate and the carrier's answer times ask for, 10 to 100.
    window: Option<i32>,
    /// At most this many parts a second, over all binds; null: as many as the windows allow.
    rate_parts_per_second: Option<f64>,
    /// The name that the carrier's certificate must be for; null: no TLS.
    tls_server_name: Option<String>,
    /// What this carrier means by its errors, at most 300 entries; what is not here has its meaning
    /// by default.
    error_table: Vec<CarrierErrorMapping>,
    /// How its receipts write message ids; null: learned from what comes, and learned again if it
    /// changes.
    receipt_id_form: Option<ReceiptIdForm>,
    /// Whether it is asked (`query_sm`) about messages whose receipt is overdue, at most for a
    /// tenth of its rate.
    query_sm: bool,
}

impl From<SmppSettings> for SmppAccount {
    fn from(settings: SmppSettings) -> Self {
        Self {
            address: settings.address,
            system_id: settings.system_id,
            system_type: settings.system_type,
            bind_mode: settings.bind.into(),
            binds: settings.binds.into(),
            window: match settings.window {
                Window::Fixed(window) => Some(window.into()),
                Window::Auto => None,
            },
            rate_parts_per_second: settings.rate_parts_per_s,
            tls_server_name: settings.tls.map(|tls| tls.server_name),
            error_table: settings.error_table.into_iter().map(Into::into).collect(),
            receipt_id_form: settings.receipt_id_form.map(Into::into),
            query_sm: settings.query_sm,
        }
    }
}

/// A new SMPP 3.4 account.
#[derive(InputObject)]
pub struct SmppAccountInput {
    /// The host and the port, `smpp.example.com:2775`.
    pub address: String,
    /// The system id, up to 15 ASCII characters.
    pub system_id: String,
    /// The password, up to 8 ASCII characters. Stored sealed, and never given out again.
    #[graphql(secret)]
    pub password: String,
    /// The system type, up to 12 ASCII characters. Default empty.
    pub system_type: Option<String>,
    /// Which connections a bind is made of. Default `TRANSCEIVER`.
    pub bind_mode: Option<SmppBindMode>,
    /// How many binds, 1 to 50. Default 1.
    pub binds: Option<i32>,
    /// How many submissions may wait for their answers on one bind, 1 to 1,000. Absent: 10. Null:
    /// as many as the rate and the carrier's answer times ask for, 10 to 100.
    pub window: MaybeUndefined<i32>,
    /// At most this many parts a second, over all binds. Absent or null: as many as the windows
    /// allow, until the carrier throttles.
    pub rate_parts_per_second: Option<f64>,
    /// The name that the carrier's certificate must be for. Absent or null: no TLS.
    pub tls_server_name: Option<String>,
    /// What this carrier means by its errors, where that is not the default: at most 300 entries,
    /// each number once. Absent: none.
    pub error_table: Option<Vec<CarrierErrorMappingInput>>,
    /// How its receipts write message ids. Absent or null: learned.
    pub receipt_id_form: Option<ReceiptIdForm>,
    /// Whether to ask it (`query_sm`) about messages whose receipt is overdue. Default false: many
    /// carriers do not answer.
    pub query_sm: Option<bool>,
}

/// Changes to an SMPP 3.4 account. What is absent stays.
#[derive(InputObject, Default)]
pub struct SmppAccountChangeInput {
    /// Another host and port.
    pub address: Option<String>,
    /// Another system id, up to 15 ASCII characters.
    pub system_id: Option<String>,
    /// Another password, up to 8 ASCII characters.
    #[graphql(secret)]
    pub password: Option<String>,
    /// Another system type, up to 12 ASCII characters.
    pub system_type: Option<String>,
    /// Other connections of a bind.
    pub bind_mode: Option<SmppBindMode>,
    /// Another number of binds, 1 to 50.
    pub binds: Option<i32>,
    /// Another window, 1 to 1,000; null: automatic.
    pub window: MaybeUndefined<i32>,
    /// Another rate in parts a second, over all binds; null: none.
    pub rate_parts_per_second: MaybeUndefined<f64>,
    /// Another name that the carrier's certificate must be for; null: no TLS.
    pub tls_server_name: MaybeUndefined<String>,
    /// Another table of errors, whole: at most 300 entries, each number once; empty: none.
    pub error_table: Option<Vec<CarrierErrorMappingInput>>,
    /// Another form of the message ids in receipts; null: learned.
    pub receipt_id_form: MaybeUndefined<ReceiptIdForm>,
    /// Whether to ask it (`query_sm`) about messages whose receipt is overdue.
    pub query_sm: Option<bool>,
}

impl SmppAccountInput {
    /// The settings; what is out of an integer's range becomes 0, which no setting may be.
    pub(super) fn settings(&self) -> SmppSettings {
        let mut settings = SmppSettings::new(&self.address, &self.system_id);
        settings.system_type = self.system_type.clone().unwrap_or_default();
        settings.rate_parts_per_s = self.rate_parts_per_second;
        settings.tls = self.tls_server_name.clone().map(tls);
        if let Some(bind_mode) = self.bind_mode {
            settings.bind = bind_mode.into();
        }
        if let Some(binds) = self.binds {
            settings.binds = small(binds);
        }
        set_window(&mut settings, &self.window);
        set_error_table(&mut settings, self.error_table.as_deref());
        settings.receipt_id_form = self.receipt_id_form.map(Into::into);
        settings.query_sm = self.query_sm.unwrap_or_default();
        settings
    }
}

impl SmppAccountChangeInput {
    /// `settings` with the changes.
    pub(super) fn apply(&self, mut settings: SmppSettings) -> SmppSettings {
        if let Some(address) = &self.address {
            settings.address.clone_from(address);
        }
        if let Some(system_id) = &self.system_id {
            settings.system_id.clone_from(system_id);
        }
        if let Some(system_type) = &self.system_type {
            settings.system_type.clone_from(system_type);
        }
        if let Some(bind_mode) = self.bind_mode {
            settings.bind = bind_mode.into();
        }
        if let Some(binds) = self.binds {
            settings.binds = small(binds);
        }
        set_window(&mut settings, &self.window);
        set_error_table(&mut settings, self.error_table.as_deref());
        match &self.rate_parts_per_second {
            MaybeUndefined::Undefined => {}
            MaybeUndefined::Null => settings.rate_parts_per_s = None,
            MaybeUndefined::Value(rate) => settings.rate_parts_per_s = Some(*rate),
        }
        if let Some(query_sm) = self.query_sm {
            settings.query_sm = query_sm;
        }
        match self.receipt_id_form {
            MaybeUndefined::Undefined => {}
            MaybeUndefined::Null => settings.receipt_id_form = None,
            MaybeUndefined::Value(form) => settings.receipt_id_form = Some(form.into()),
        }
        match &self.tls_server_name {
            MaybeUndefined::Undefined => {}
            MaybeUndefined::Null => settings.tls = None,
            MaybeUndefined::Value(name) => settings.tls = Some(tls(name.clone())),
        }
        settings
    }
}

fn set_window(settings: &mut SmppSettings, window: &MaybeUndefined<i32>) {
    match window {
        MaybeUndefined::Undefined => {}
        MaybeUndefined::Null => settings.window = Window::Auto,
        MaybeUndefined::Value(window) => settings.window = Window::Fixed(small(*window)),
    }
}

fn set_error_table(settings: &mut SmppSettings, table: Option<&[CarrierErrorMappingInput]>) {
    if let Some(table) = table {
        settings.error_table = table.iter().map(Into::into).collect();
    }
}

/// Out of range becomes 0, which no setting may be.
fn small(number: i32) -> u16 {
    u16::try_from(number).unwrap_or(0)
}

fn tls(server_name: String) -> TlsConfig {
    TlsConfig { server_name, roots: TlsRoots::default() }
}
