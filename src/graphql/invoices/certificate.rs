//! The yearly certificate of withholding tax. Behaviour: `crate::billing::invoices`.

use async_graphql::{Context, ID, Interface, Object};
use entity::ids::AccountId;

use super::Invoice;
use crate::billing::Whose;
use crate::billing::invoices::{self, Certificate, CertificateLine, Certified};
use crate::graphql::call;
use crate::graphql::errors::Answer;
use crate::graphql::identity::Account;
use crate::graphql::ids::parse_id;
use crate::graphql::loaders::{AccountRow, load};
use crate::graphql::scalars::{CurrencyCode, DateTime, Decimal};
use crate::types::money::Micros;

/// A line of a certificate. Branch on `__typename`; kinds may be added.
#[derive(Interface)]
#[graphql(
    field(name = "invoice_number", ty = "String", desc = "The number of the invoice."),
    field(
        name = "amount",
        ty = "Decimal",
        desc = "How much; negative is what a credit note took off what was collected before."
    )
)]
pub enum WithholdingCertificateLine {
    /// Tax that was collected with an invoice.
    CollectedTax(CollectedTax),
    /// Tax that the account withheld.
    WithheldTax(WithheldTax),
}

/// Tax that was collected with an invoice.
pub struct CollectedTax {
    line: CertificateLine,
    name: String,
    rate_millionths: i64,
    base: Micros,
}

/// Tax of kind `WITHHOLDING` that was collected with an invoice: as much of it as was paid in the year.
#[Object]
impl CollectedTax {
    /// The number of the invoice.
    pub async fn invoice_number(&self) -> String {
        self.line.number.clone()
    }

    /// How much; negative is what a credit note took off what was collected before.
    pub async fn amount(&self) -> Decimal {
        Decimal(self.line.amount)
    }

    /// The invoice.
    async fn invoice(&self, context: &Context<'_>) -> Answer<Option<Invoice>> {
        Invoice::load(context, self.line.invoice_id).await
    }

    /// When the invoice was finalized.
    async fn finalized_at(&self) -> DateTime {
        self.line.at.into()
    }

    /// The tax's name.
    async fn name(&self) -> &str {
        &self.name
    }

    /// The tax's rate, in percent.
    async fn percentage(&self) -> Decimal {
        Decimal(invoices::percentage(self.rate_millionths))
    }

    /// What the tax of the whole invoice is a part of.
    async fn base(&self) -> Decimal {
        Decimal(self.base)
    }
}

/// Tax that the account withheld.
pub struct WithheldTax {
    line: CertificateLine,
    certificate_number: Option<String>,
}

/// Tax that the account withheld from what it paid, and paid to the authority itself.
#[Object]
impl WithheldTax {
    /// The number of the invoice.
    pub async fn invoice_number(&self) -> String {
        self.line.number.clone()
    }

    /// How much.
    pub async fn amount(&self) -> Decimal {
        Decimal(self.line.amount)
    }

    /// The invoice.
    async fn invoice(&self, context: &Context<'_>) -> Answer<Option<Invoice>> {
        Invoice::load(context, self.line.invoice_id).await
    }

    /// When it was withheld.
    async fn withheld_at(&self) -> DateTime {
        self.line.at.into()
    }

    /// The number of the authority's certificate; null if none was given.
    async fn certificate_number(&self) -> Option<&str> {
        self.certificate_number.as_deref()
    }
}

impl From<CertificateLine> for WithholdingCertificateLine {
    fn from(mut line: CertificateLine) -> Self {
        let withheld = Certified::Withheld { certificate_number: None };
        match std::mem::replace(&mut line.what, withheld) {
            Certified::Collected { name, rate_millionths, base } => {
                Self::CollectedTax(CollectedTax { line, name, rate_millionths, base })
            }
            Certified::Withheld { certificate_number } => {
                Self::WithheldTax(WithheldTax { line, certificate_number })
            }
        }
    }
}

/// What was collected and withheld in a year.
pub struct WithholdingCertificate(Certificate);

/// What withholding tax was collected from an account in a year, and what it withheld itself. A tax
/// is collected as its invoice is paid, in the same parts.
#[Object]
impl WithholdingCertificate {
    /// Whose it is.
    async fn account(&self, context: &Context<'_>) -> Answer<Option<Account>> {
        Ok(load(context, AccountRow(self.0.account_id)).await?.map(Account))
    }

    /// The year, in UTC.
    async fn year(&self) -> i32 {
        self.0.year
    }

    /// Whether the year is over. Then the certificate changes only if the operator records tax back
    /// into it, or a payment made in it goes back.
    async fn is_complete(&self) -> bool {
        self.0.is_complete
    }

    /// What its amounts are in.
    async fn currency(&self) -> CurrencyCode {
        CurrencyCode(self.0.currency)
    }

    /// Who made it out, line by line; at most 11 lines.
    async fn issuer(&self) -> &[String] {
        &self.0.issuer
    }

    /// To whom, line by line; at most 11 lines.
    async fn holder(&self) -> &[String] {
        &self.0.holder
    }

    /// What was collected and withheld, in the order of time; at most 1,000.
    #[graphql(complexity = "100 + child_complexity")]
    async fn lines(&self) -> Vec<WithholdingCertificateLine> {
        self.0.lines.iter().cloned().map(Into::into).collect()
    }

    /// How many lines are not listed; the totals include them.
    async fn lines_omitted(&self) -> i32 {
        i32::try_from(self.0.lines_omitted).unwrap_or(i32::MAX)
    }

    /// All that was collected with invoices.
    async fn total_collected(&self) -> Decimal {
        Decimal(self.0.collected)
    }

    /// All that the account withheld.
    async fn total_withheld(&self) -> Decimal {
        Decimal(self.0.withheld)
    }

    /// Where it is to be had as a PDF, by a request with the same `Authorization`.
    async fn pdf_url(&self, context: &Context<'_>) -> Answer<String> {
        let url = call(context)?.settings.public_url();
        let (account_id, year) = (self.0.account_id, self.0.year);
        Ok(format!("{url}/accounts/{account_id}/withholding-certificates/{year}/pdf"))
    }
}

/// Reads.
#[derive(Default)]
pub struct CertificatesQuery;

#[Object]
impl CertificatesQuery {
    /// The certificate of a year; null if no withholding tax was collected or withheld in it. For
    /// owners, admins, developers, billing, and keys with the scope `billing:read`; of another account
    /// than the caller's own for the operator's owners, admins and billing.
    #[graphql(complexity = "100 + child_complexity")]
    async fn withholding_certificate(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The year, in UTC.")] year: i32,
        #[graphql(desc = "The account, `acct_…`; absent or null: the caller's own.")]
        account_id: Option<ID>,
    ) -> Answer<Option<WithholdingCertificate>> {
        let ctx = call(context)?;
        let account_id: Option<AccountId> = account_id.as_ref().map(parse_id).transpose()?;
        let whose = match account_id {
            Some(id) if ctx.actor.account_id() != Some(id) => Whose::Of(id),
            _ => Whose::Own,
        };
        let found = invoices::certificate(ctx, whose, year).await?;
        Ok(found.map(WithholdingCertificate))
    }
}
