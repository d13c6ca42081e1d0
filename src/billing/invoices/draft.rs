//! Drafts: the operator makes them, and writes lines of its own into them. The messages of a month
//! come in when a draft is finalized, by the operator or by the monthly job.

use entity::enums::{BillingTerms, InvoiceKind, InvoiceLineKind, InvoiceStatus};
use entity::ids::{AccountId, InvoiceId};
use entity::{account, invoice, invoice_line};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};

use super::model::{self, Month};
use super::store;
use crate::authz::Action;
use crate::billing::queries;
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::{Error, Failed, violated_constraint};
use crate::types::money::{Currency, Micros};

/// Lines of the operator's own in one invoice: what a person writes.
pub const ITEMS_MAX: u64 = 500;
/// Characters of a line's description.
pub const DESCRIPTION_CHARS_MAX: usize = 500;

/// Why an invoice was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CreateInvoiceRejection {
    /// There is no such account.
    #[error("there is no such account")]
    AccountNotFound,
    /// There is no such month.
    #[error("a month is a year from 1970 to 9999 and a number from 1 to 12")]
    InvalidMonth,
    /// The month has an invoice or a statement.
    #[error("the month has an invoice or a statement already")]
    MonthTaken,
    /// The account pays beforehand.
    #[error("the account pays beforehand, so that its month has a statement and no invoice")]
    AccountIsPrepaid,
}

/// Why a line was not added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddLineRejection {
    /// There is no such invoice.
    #[error("there is no such invoice")]
    InvoiceNotFound,
    /// It is no draft.
    #[error("only a draft can be changed: what is finalized is corrected by a credit note")]
    NotADraft,
    /// The description is empty or too long.
    #[error("a description has 1 to {DESCRIPTION_CHARS_MAX} characters on one line")]
    InvalidDescription,
    /// The quantity is not above zero.
    #[error("a quantity is above zero")]
    InvalidQuantity,
    /// The amount is finer than the currency's minor unit.
    #[error("an amount is in whole minor units of the currency")]
    InvalidAmount,
    /// There are too many lines.
    #[error("an invoice has at most {ITEMS_MAX} lines beside its messages")]
    TooManyLines,
}

/// Why a line was not removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RemoveLineRejection {
    /// There is no such invoice.
    #[error("there is no such invoice")]
    InvoiceNotFound,
    /// It is no draft.
    #[error("only a draft can be changed: what is finalized is corrected by a credit note")]
    NotADraft,
    /// There is no such line.
    #[error("the draft has no such line")]
    LineNotFound,
}

/// Why a draft was not discarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DiscardRejection {
    /// There is no such invoice.
    #[error("there is no such invoice")]
    InvoiceNotFound,
    /// It is no draft.
    #[error("only a draft can be discarded: what is finalized is made void or credited")]
    NotADraft,
}

/// A line of the operator's own.
#[derive(Clone, Debug)]
pub struct NewLine {
    /// What it is for.
    pub description: String,
    /// How many, in millionths.
    pub quantity: Micros,
    /// What it comes to; negative is a discount.
    pub amount: Micros,
}

/// Makes a draft for an account that pays by invoice. With a month, its messages are taken into it
/// when it is finalized. Not idempotent without a month; a month has one invoice that counts.
///
/// # Errors
/// [`CreateInvoiceRejection`], or a failure.
pub async fn create(
    ctx: &Ctx,
    account_id: AccountId,
    month: Option<(i32, i32)>,
) -> Result<invoice::Model, Error<CreateInvoiceRejection>> {
    use CreateInvoiceRejection as Rejection;
    ctx.actor.require(Action::ManageInvoices)?;
    let month = match month {
        Some((year, month)) => {
            Some(Month::new(year, month).ok_or(Error::Rejected(Rejection::InvalidMonth))?)
        }
        None => None,
    };
    let (id, now): (InvoiceId, _) = (ctx.ids.next(), ctx.clock.now());
    let create = |tx: Tx| async move {
        if account::Entity::find_by_id(account_id).one(&*tx).await?.is_none() {
            return Err(Error::Rejected(Rejection::AccountNotFound));
        }
        let terms = queries::terms_in(ctx, &*tx, account_id).await?;
        let currency = terms.currency.as_str().to_owned();
        if let Some(month) = month {
            if terms.terms == BillingTerms::Prepaid {
                return Err(Error::Rejected(Rejection::AccountIsPrepaid));
            }
            if store::of_month(&tx, account_id, &currency, month).await?.is_some() {
                return Err(Error::Rejected(Rejection::MonthTaken));
            }
        }
        let mut row = store::blank(account_id, id, InvoiceKind::Invoice, currency, now);
        row.month = month.map(Month::stored);
        match store::insert(&tx, &row).await {
            // Somebody else took the month at the same time.
            Err(error) if violated_constraint(&error).is_some() => {
                Err(Error::Rejected(Rejection::MonthTaken))
            }
            Err(error) => Err(error.into()),
            Ok(()) => Ok(row),
        }
    };
    ctx.db.write(create).await
}

/// Writes a line into a draft. Not idempotent.
///
/// # Errors
/// [`AddLineRejection`], or a failure.
pub async fn add_line(
    ctx: &Ctx,
    id: InvoiceId,
    new: NewLine,
) -> Result<invoice::Model, Error<AddLineRejection>> {
    ctx.actor.require(Action::ManageInvoices)?;
    let description = &described(&new.description)
        .ok_or(Error::Rejected(AddLineRejection::InvalidDescription))?;
    if new.quantity <= Micros::ZERO {
        return Err(Error::Rejected(AddLineRejection::InvalidQuantity));
    }
    let (quantity, amount) = (new.quantity, new.amount);
    let add = |tx: Tx| async move {
        let found = store::lock(&tx, id).await?;
        let mut row = found.ok_or(Error::Rejected(AddLineRejection::InvoiceNotFound))?;
        if row.status != InvoiceStatus::Draft {
            return Err(Error::Rejected(AddLineRejection::NotADraft));
        }
        if !model::is_payable(amount, currency_of(&row)?) {
            return Err(Error::Rejected(AddLineRejection::InvalidAmount));
        }
        if lines_of(&row).count(&*tx).await? >= ITEMS_MAX {
            return Err(Error::Rejected(AddLineRejection::TooManyLines));
        }
        let line = invoice_line::Model {
            account_id: row.account_id,
            invoice_id: id,
            number: store::last_line(&tx, &row).await? + 1,
            kind: InvoiceLineKind::Item,
            description: description.clone(),
            country: None,
            class: None,
            unit_price_nanos: None,
            messages: None,
            quantity_micros: quantity.0,
            amount_micros: amount.0,
        };
        store::insert_line(&tx, line).await?;
        add_up(ctx, &tx, &mut row, amount).await?;
        Ok(row)
    };
    ctx.db.write(add).await
}

/// Takes a line of the operator's own out of a draft. Not idempotent: a second time there is no such
/// line.
///
/// # Errors
/// [`RemoveLineRejection`], or a failure.
pub async fn remove_line(
    ctx: &Ctx,
    id: InvoiceId,
    number: i32,
) -> Result<invoice::Model, Error<RemoveLineRejection>> {
    ctx.actor.require(Action::ManageInvoices)?;
    let remove = |tx: Tx| async move {
        let found = store::lock(&tx, id).await?;
        let mut row = found.ok_or(Error::Rejected(RemoveLineRejection::InvoiceNotFound))?;
        if row.status != InvoiceStatus::Draft {
            return Err(Error::Rejected(RemoveLineRejection::NotADraft));
        }
        let of_number = lines_of(&row).filter(invoice_line::Column::Number.eq(number));
        let line = of_number.one(&*tx).await?;
        let line = line.ok_or(Error::Rejected(RemoveLineRejection::LineNotFound))?;
        let key = (row.account_id, id, number);
        invoice_line::Entity::delete_by_id(key).exec(&*tx).await?;
        add_up(ctx, &tx, &mut row, Micros(line.amount_micros).negated()).await?;
        Ok(row)
    };
    ctx.db.write(remove).await
}

/// Removes a draft with its lines, as if it had never been made. Its month can have another draft, and
/// gets its invoice in any case. Not idempotent: a second time there is no such invoice.
///
/// # Errors
/// [`DiscardRejection`], or a failure.
pub async fn discard(ctx: &Ctx, id: InvoiceId) -> Result<(), Error<DiscardRejection>> {
    ctx.actor.require(Action::ManageInvoices)?;
    let discard = |tx: Tx| async move {
        let found = store::lock(&tx, id).await?;
        let row = found.ok_or(Error::Rejected(DiscardRejection::InvoiceNotFound))?;
        if row.status != InvoiceStatus::Draft {
            return Err(Error::Rejected(DiscardRejection::NotADraft));
        }
        invoice_line::Entity::delete_many()
            .filter(invoice_line::Column::AccountId.eq(row.account_id))
            .filter(invoice_line::Column::InvoiceId.eq(id))
            .exec(&*tx)
            .await?;
        invoice::Entity::delete_by_id((row.account_id, id)).exec(&*tx).await?;
        Ok(())
    };
    ctx.db.write(discard).await
}

fn lines_of(row: &invoice::Model) -> sea_orm::Select<invoice_line::Entity> {
    invoice_line::Entity::find()
        .filter(invoice_line::Column::AccountId.eq(row.account_id))
        .filter(invoice_line::Column::InvoiceId.eq(row.id))
}

async fn add_up(
    ctx: &Ctx,
    tx: &Tx,
    row: &mut invoice::Model,
    amount: Micros,
) -> Result<(), Failed> {
    let sum = Micros(row.subtotal_micros).checked_add(amount);
    let sum = sum.ok_or_else(|| Failed::internal("a draft beyond 64 bits"))?;
    (row.subtotal_micros, row.total_micros) = (sum.0, sum.0);
    Ok(store::save(tx, ctx.clock.now(), row).await?)
}

fn currency_of(row: &invoice::Model) -> Result<Currency, Failed> {
    row.currency.parse().map_err(Failed::internal)
}

/// A description without blanks around it.
pub(super) fn described(text: &str) -> Option<String> {
    let text = text.trim();
    let fits = (1..=DESCRIPTION_CHARS_MAX).contains(&text.chars().count());
    (fits && !text.contains(char::is_control)).then(|| text.to_owned())
}
