//! What messages would take, by the checks of sending. Stores nothing.

use entity::enums::{Encoding, NationalLanguage};
use entity::ids::AccountId;
use entity::time::UnixMillis;
use sea_orm::DbErr;

use super::accept::{Checked, ItemError, NewMessage};
use super::commands::{BatchRejection, Sending, Tables, check_batch, check_items, mode_of};
use super::opt_out;
use super::quiet_hours::Timing;
use crate::authz::Action;
use crate::billing::packages::{self, Cover, Want};
use crate::billing::{self, Journal, Terms};
use crate::ctx::Ctx;
use crate::error::{Error, Failed};
use crate::types::money::{Currency, Micros};
use crate::types::sms_text::offending_characters;

/// What a message would take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// What it costs of the account's money, all parts.
    pub price: Micros,
    /// The package that would pay for it; none: money.
    pub cover: Option<Cover>,
    /// E.164 with the plus sign.
    pub to: String,
    /// On the air.
    pub encoding: Encoding,
    /// Whose shift tables it would be written with, if GSM by its default tables would not do.
    pub national_language: Option<NationalLanguage>,
    /// On the air.
    pub parts: i16,
    /// Distinct characters that force UCS-2, at most 20.
    pub offending_characters: Vec<char>,
    /// When quiet hours let it go; none: they do not keep it.
    pub release_at: Option<UnixMillis>,
}

impl Estimate {
    pub(super) fn of(item: Checked, cover: Option<Cover>) -> Self {
        Self {
            release_at: item.is_held.then_some(item.due_at),
            price: if cover.is_some() { Micros::ZERO } else { item.price },
            cover,
            to: item.recipient.e164().to_owned(),
            encoding: item.encoding,
            national_language: item.national_language,
            parts: item.parts,
            offending_characters: match item.encoding {
                Encoding::Gsm7 => Vec::new(),
                Encoding::Ucs2 => offending_characters(item.text.as_str()),
            },
        }
    }
}

/// What some messages would take together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Estimates {
    /// One an item, in the order given.
    pub items: Vec<Result<Estimate, ItemError>>,
    /// What prices are in.
    pub currency: Currency,
    /// Of all items that would be accepted, if the money reaches, in money.
    pub total: Micros,
    /// What the account could hold now.
    pub available: Micros,
}

/// Says what messages would take, by the same checks as [`send`](super::commands::send). Stores nothing.
///
/// # Errors
/// [`BatchRejection`] but for those about keys.
pub async fn estimate(
    ctx: &Ctx,
    tables: &Tables,
    messages: Vec<NewMessage>,
) -> Result<Estimates, Error<BatchRejection>> {
    let account_id = ctx.actor.require_in_account(Action::SendMessages)?;
    check_batch(messages.len())?;
    let terms = billing::terms(ctx, account_id).await?;
    let timing = Timing::default();
    let sending = Sending { account_id, mode: mode_of(ctx), terms: &terms, tables, timing };
    let checked = check_items(ctx, sending, messages).await?;
    let checked = opt_out::refuse_suppressed(ctx, account_id, checked).await?;
    let available = billing::available(ctx, &terms, account_id).await?;
    let mut covers = covers(ctx, account_id, &terms, &checked).await?.into_iter();
    let mut estimate = |item: Checked| Estimate::of(item, covers.next().flatten());
    let items: Vec<_> = checked.into_iter().map(|item| item.map(&mut estimate)).collect();
    let prices = items.iter().filter_map(|item| Some(item.as_ref().ok()?.price));
    let total = Micros::checked_sum(prices).ok_or_else(|| Failed::internal("beyond 64 bits"))?;
    Ok(Estimates { items, currency: terms.currency, total, available })
}

/// The packages that would pay for those that would be accepted, in their order.
async fn covers(
    ctx: &Ctx,
    account_id: AccountId,
    terms: &Terms,
    checked: &[Result<Checked, ItemError>],
) -> Result<Vec<Option<Cover>>, DbErr> {
    if !terms.may_have_packages(ctx.clock.now()) {
        return Ok(Vec::new());
    }
    let accepted = checked.iter().filter_map(|item| item.as_ref().ok());
    let wants = accepted.map(|item| Want {
        digits: item.recipient.digits(),
        class: item.class,
        parts: item.parts,
        unit_price: item.unit_price,
        price: item.price,
    });
    let wants: Vec<Want<'_>> = wants.collect();
    packages::cover(ctx, Journal::of_money(account_id, terms.currency), &wants).await
}
