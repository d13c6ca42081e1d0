//! To whom invoices are made out, and the taxes on them.

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};
use entity::enums;
use entity::ids::TaxRateId;
use entity::tax_rate::Model;

use super::refusals::{
    ArchiveTaxRateError, CreateTaxRateError, SetAccountTaxRatesError, SetBillingProfileError,
};
use crate::billing::invoices::{self, NewTaxRate, Profile, TaxId};
use crate::graphql::call;
use crate::graphql::errors::{Answer, value_or_rejection};
use crate::graphql::ids::{parse_id, show_id};
use crate::graphql::scalars::{DateTime, Decimal};

/// A tax id.
#[derive(SimpleObject, Clone, Debug)]
pub struct BillingTaxId {
    /// What it is, `eu_vat`.
    kind: String,
    /// The id, in capitals.
    value: String,
}

/// To whom invoices are made out.
#[derive(SimpleObject, Clone, Debug)]
pub struct BillingProfile {
    /// As the law knows the account.
    legal_name: String,
    /// Street and number.
    line1: String,
    /// More of the address.
    line2: Option<String>,
    /// City.
    city: String,
    /// State or province.
    region: Option<String>,
    /// Postal code.
    postal_code: Option<String>,
    /// Country, two letters of ISO 3166-1.
    country: String,
    /// Where invoices are sent.
    email: String,
    /// The account's tax ids, at most 5.
    tax_ids: Vec<BillingTaxId>,
}

impl From<Profile> for BillingProfile {
    fn from(profile: Profile) -> Self {
        let of = |id: TaxId| BillingTaxId { kind: id.kind, value: id.value };
        Self {
            legal_name: profile.legal_name,
            line1: profile.line1,
            line2: profile.line2,
            city: profile.city,
            region: profile.region,
            postal_code: profile.postal_code,
            country: profile.country,
            email: profile.email,
            tax_ids: profile.tax_ids.into_iter().map(of).collect(),
        }
    }
}

/// How a tax is collected.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "enums::TaxKind")]
pub enum TaxKind {
    /// On sales: value added tax, sales tax, excise.
    Sales,
    /// Of the account's income, collected in advance with its invoices (advance tax, withholding tax),
    /// and certified each year: see `withholdingCertificate`.
    Withholding,
}

/// A rate of a tax.
#[derive(Clone, Debug)]
pub struct TaxRate(pub Model);

/// A rate of a tax, made by the operator. It never changes: another one takes its place.
#[Object]
impl TaxRate {
    /// The rate's id, `tax_…`.
    pub async fn id(&self) -> ID {
        show_id(self.0.id)
    }

    /// As invoices show it.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Of the amount, in percent.
    async fn percentage(&self) -> Decimal {
        Decimal(invoices::percentage(self.0.rate_millionths))
    }

    /// Accounts of this country pay it, unless they have rates of their own; null: only those that
    /// were given it.
    async fn country(&self) -> Option<&str> {
        self.0.country.as_deref()
    }

    /// How it is collected.
    async fn kind(&self) -> TaxKind {
        self.0.kind.into()
    }

    /// Since when no invoice gets it any more; null as long as it is in use.
    async fn archived_at(&self) -> Option<DateTime> {
        self.0.archived_at_ms.map(Into::into)
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime {
        self.0.created_at_ms.into()
    }
}

impl TaxRate {
    /// The rate with this id, if the caller may see it.
    ///
    /// # Errors
    /// Not allowed, or the store's own.
    pub async fn load(context: &Context<'_>, id: TaxRateId) -> Answer<Option<Self>> {
        Ok(invoices::find_tax_rate(call(context)?, id).await?.map(Self))
    }
}

/// Reads.
#[derive(Default)]
pub struct TaxesQuery;

#[Object]
impl TaxesQuery {
    /// To whom the invoices of the caller's account are made out; null if that was never set. For
    /// owners, admins, developers, billing, and keys with the scope `billing:read`.
    async fn billing_profile(&self, context: &Context<'_>) -> Answer<Option<BillingProfile>> {
        Ok(invoices::profile(call(context)?).await?.map(Into::into))
    }

    /// The tax rates in use, in the order of their making; at most 1,000. For the operator's owners,
    /// admins and billing.
    #[graphql(complexity = "100 + child_complexity")]
    async fn tax_rates(&self, context: &Context<'_>) -> Answer<Vec<TaxRate>> {
        let rates = invoices::tax_rates(call(context)?).await?;
        Ok(rates.into_iter().map(TaxRate).collect())
    }
}

/// A tax id.
#[derive(InputObject)]
pub struct BillingTaxIdInput {
    /// What it is: 2 to 20 small letters, digits and underscores, `eu_vat`.
    pub kind: String,
    /// The id: 3 to 40 letters, digits, blanks, dots, hyphens and slashes, with a digit.
    pub value: String,
}

/// What `setBillingProfile` takes: all of it, in place of what was set before.
#[derive(InputObject)]
pub struct SetBillingProfileInput {
    /// As the law knows the account: 1 to 200 characters.
    pub legal_name: String,
    /// Street and number: 1 to 200 characters.
    pub line1: String,
    /// More of the address: 1 to 200 characters.
    pub line2: Option<String>,
    /// City: 1 to 200 characters.
    pub city: String,
    /// State or province: 1 to 200 characters.
    pub region: Option<String>,
    /// Postal code: 1 to 200 characters.
    pub postal_code: Option<String>,
    /// Country, two letters of ISO 3166-1. It also chooses the taxes.
    pub country: String,
    /// Where invoices are sent.
    pub email: String,
    /// The account's tax ids, at most 5. Only their form is checked.
    #[graphql(default)]
    pub tax_ids: Vec<BillingTaxIdInput>,
}

/// What `setBillingProfile` answers.
#[derive(SimpleObject)]
pub struct SetBillingProfilePayload {
    /// The profile as it is now; null if it was not set.
    billing_profile: Option<BillingProfile>,
    /// Why not; empty if it was.
    user_errors: Vec<SetBillingProfileError>,
}

/// What `createTaxRate` takes.
#[derive(InputObject)]
pub struct CreateTaxRateInput {
    /// As invoices show it: 1 to 100 characters.
    pub name: String,
    /// Of the amount, in percent: 0 to 100, with at most 4 decimals.
    pub percentage: Decimal,
    /// Accounts of this country pay it, two letters of ISO 3166-1; absent or null: those that are
    /// given it.
    pub country: Option<String>,
    /// How it is collected. Default `SALES`.
    #[graphql(default_with = "TaxKind::Sales")]
    pub kind: TaxKind,
}

/// What `createTaxRate` answers.
#[derive(SimpleObject)]
pub struct CreateTaxRatePayload {
    /// The new rate; null if it was not made.
    tax_rate: Option<TaxRate>,
    /// Why not; empty if it was.
    user_errors: Vec<CreateTaxRateError>,
}

/// What `archiveTaxRate` takes.
#[derive(InputObject)]
pub struct ArchiveTaxRateInput {
    /// The rate, `tax_…`.
    pub tax_rate_id: ID,
}

/// What `archiveTaxRate` answers.
#[derive(SimpleObject)]
pub struct ArchiveTaxRatePayload {
    /// The rate as it is now; null if it was not archived.
    tax_rate: Option<TaxRate>,
    /// Why not; empty if it was.
    user_errors: Vec<ArchiveTaxRateError>,
}

/// What `setAccountTaxRates` takes.
#[derive(InputObject)]
pub struct SetAccountTaxRatesInput {
    /// The account, `acct_…`.
    pub account_id: ID,
    /// Its rates, at most 5; none: those of its country. A rate of 0 with the reason as its name
    /// frees an account of taxes.
    pub tax_rate_ids: Vec<ID>,
}

/// What `setAccountTaxRates` answers.
#[derive(SimpleObject)]
pub struct SetAccountTaxRatesPayload {
    /// The account's own rates now, at most 5; null if they were not set.
    tax_rates: Option<Vec<TaxRate>>,
    /// Why not; empty if they were.
    user_errors: Vec<SetAccountTaxRatesError>,
}

/// Writes.
#[derive(Default)]
pub struct TaxesMutation;

#[Object]
impl TaxesMutation {
    /// Sets to whom the invoices of the caller's account are made out. Invoices that were finalized
    /// keep what was set then. For owners, admins and billing. Idempotent.
    async fn set_billing_profile(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "To whom.")] input: SetBillingProfileInput,
    ) -> Answer<SetBillingProfilePayload> {
        let tax_ids = input.tax_ids.into_iter();
        let profile = Profile {
            legal_name: input.legal_name,
            line1: input.line1,
            line2: input.line2,
            city: input.city,
            region: input.region,
            postal_code: input.postal_code,
            country: input.country,
            email: input.email,
            tax_ids: tax_ids.map(|id| TaxId { kind: id.kind, value: id.value }).collect(),
        };
        let outcome = invoices::set_profile(call(context)?, profile).await;
        Ok(match value_or_rejection(outcome)? {
            Ok(profile) => SetBillingProfilePayload {
                billing_profile: Some(profile.into()),
                user_errors: Vec::new(),
            },
            Err(rejection) => SetBillingProfilePayload {
                billing_profile: None,
                user_errors: vec![rejection.into()],
            },
        })
    }

    /// Makes a tax rate. For the operator's owners, admins and billing. Not idempotent.
    async fn create_tax_rate(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to make.")] input: CreateTaxRateInput,
    ) -> Answer<CreateTaxRatePayload> {
        let percentage = input.percentage.0;
        let kind = input.kind.into();
        let new = NewTaxRate { name: input.name, percentage, country: input.country, kind };
        let outcome = invoices::create_tax_rate(call(context)?, new).await;
        Ok(match value_or_rejection(outcome)? {
            Ok(row) => {
                CreateTaxRatePayload { tax_rate: Some(TaxRate(row)), user_errors: Vec::new() }
            }
            Err(rejection) => {
                CreateTaxRatePayload { tax_rate: None, user_errors: vec![rejection.into()] }
            }
        })
    }

    /// Takes a tax rate out of use: invoices that are finalized from now on do not get it. For the
    /// operator's owners, admins and billing. Idempotent.
    async fn archive_tax_rate(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which rate.")] input: ArchiveTaxRateInput,
    ) -> Answer<ArchiveTaxRatePayload> {
        let id = parse_id(&input.tax_rate_id)?;
        let outcome = invoices::archive_tax_rate(call(context)?, id).await;
        Ok(match value_or_rejection(outcome)? {
            Ok(row) => {
                ArchiveTaxRatePayload { tax_rate: Some(TaxRate(row)), user_errors: Vec::new() }
            }
            Err(rejection) => {
                ArchiveTaxRatePayload { tax_rate: None, user_errors: vec![rejection.into()] }
            }
        })
    }

    /// Gives an account tax rates of its own, in place of its country's. For the operator's owners,
    /// admins and billing. Idempotent.
    async fn set_account_tax_rates(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Whose, and which.")] input: SetAccountTaxRatesInput,
    ) -> Answer<SetAccountTaxRatesPayload> {
        let account_id = parse_id(&input.account_id)?;
        let ids = input.tax_rate_ids.iter().map(parse_id).collect::<Answer<Vec<_>>>()?;
        let outcome = invoices::set_account_tax_rates(call(context)?, account_id, &ids).await;
        Ok(match value_or_rejection(outcome)? {
            Ok(rates) => SetAccountTaxRatesPayload {
                tax_rates: Some(rates.into_iter().map(TaxRate).collect()),
                user_errors: Vec::new(),
            },
            Err(rejection) => {
                SetAccountTaxRatesPayload { tax_rates: None, user_errors: vec![rejection.into()] }
            }
        })
    }
}
