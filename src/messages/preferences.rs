//! What a person chooses on its preference page, by a signed link: which topics and senders it wants
//! to hear of, or nothing at all. Each change is a statement of consent with its proof, through the
//! same code as an opt-out by keyword; looking changes nothing.

use std::collections::BTreeSet;

use entity::enums::{ConsentKind, ConsentSource, SuppressionReason};
use entity::ids::AccountId;
use entity::{account, message, suppression};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::opt_out::{self, WORDING_CHARS_MAX};
use crate::authz::Action;
use crate::contacts::consent::{self, NewStatement};
use crate::contacts::{ScopeRef, preference_links};
use crate::ctx::Ctx;
use crate::error::{Error, Failed};
use crate::types::phone::PhoneNumber;

/// Messages to the number, the newest, whose topics the page offers.
const MESSAGES_MAX: u64 = 500;
/// Choices on one page.
pub const CHOICES_MAX: usize = 100;

/// What a page shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preferences {
    /// Who writes.
    pub account_name: String,
    /// The number's last two digits: enough for its owner to know it.
    pub last_digits: String,
    /// Whether nothing at all is written to the number.
    pub is_unsubscribed: bool,
    /// Whether the number's owner may take that back: not what the account decided.
    pub may_resume: bool,
    /// Topics that the number was written about, and senders that were stopped, by name.
    pub choices: Vec<Choice>,
}

/// Something that can be wanted or not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Choice {
    /// What it reaches: a topic or a sender.
    pub scope: ScopeRef,
    /// Whether it is wanted now.
    pub is_wanted: bool,
}

/// What a person asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PreferenceChange {
    /// Nothing more.
    Unsubscribe,
    /// To be written to again.
    Resume,
    /// Of what the page showed, just this.
    Choose {
        /// What it showed.
        shown: Vec<ScopeRef>,
        /// What of it is wanted.
        wanted: Vec<ScopeRef>,
    },
}

/// Where the owner of a number chooses; for those who may record what people say, since whoever has
/// the address can.
pub fn preferences_url(ctx: &Ctx, number: &str) -> Option<String> {
    let account_id = ctx.actor.require_in_account(Action::ManageConsent).ok()?;
    let number = PhoneNumber::restore(number).ok()?;
    Some(page_url(ctx, account_id, &number))
}

/// The address of a number's page, for its owner. Asks for no right: it is part of what the caller
/// was authorized for.
pub fn page_url(ctx: &Ctx, account_id: AccountId, number: &PhoneNumber) -> String {
    page_of(ctx, &preference_links::sign(&ctx.master_key, account_id, number))
}

/// An address as long as that of any page, which leads nowhere.
pub fn unmade_page_url(ctx: &Ctx) -> String {
    page_of(ctx, &"x".repeat(preference_links::LINK_CHARS))
}

fn page_of(ctx: &Ctx, link: &str) -> String {
    format!("{}/p/{link}", ctx.settings.public_url())
}

/// What the page of a link shows; none if we made no such link. Changes nothing. For whoever has the
/// link.
///
/// # Errors
/// The store's own.
pub async fn preferences(ctx: &Ctx, link: &str) -> Result<Option<Preferences>, Failed> {
    let Some((account_id, number)) = preference_links::read(&ctx.master_key, link) else {
        return Ok(None);
    };
    let reader = ctx.db.reader();
    let Some(account) = account::Entity::find_by_id(account_id).one(reader).await? else {
        return Ok(None);
    };
    let suppressions = consent::suppressions_of(ctx, account_id, &number).await?;
    let of_account = suppressions.iter().find(|it| scope_of(it) == ScopeRef::Account);
    let e164 = number.e164();
    Ok(Some(Preferences {
        account_name: account.name,
        last_digits: e164[e164.len() - 2..].to_owned(),
        is_unsubscribed: of_account.is_some(),
        may_resume: of_account.is_some_and(|it| it.reason != SuppressionReason::Manual),
        choices: choices(ctx, account_id, &number, &suppressions).await?,
    }))
}

fn scope_of(row: &suppression::Model) -> ScopeRef {
    ScopeRef::from_columns(row.scope, &row.scope_value)
}

async fn choices(
    ctx: &Ctx,
    account_id: AccountId,
    number: &PhoneNumber,
    suppressions: &[suppression::Model],
) -> Result<Vec<Choice>, Failed> {
    let written: Vec<Option<String>> = message::Entity::find()
        .select_only()
        .column(message::Column::Topic)
        .filter(message::Column::AccountId.eq(account_id))
        .filter(message::Column::Recipient.eq(number.e164()))
        .order_by_desc(message::Column::Id)
        .limit(MESSAGES_MAX)
        .into_tuple()
        .all(ctx.db.reader())
        .await?;
    // What the account itself decided is not its contacts' to choose.
    let decided: BTreeSet<ScopeRef> = suppressions
        .iter()
        .filter(|it| it.reason == SuppressionReason::Manual)
        .map(scope_of)
        .collect();
    let stopped: BTreeSet<ScopeRef> = suppressions.iter().map(scope_of).collect();
    let topics = written.into_iter().flatten().map(ScopeRef::Topic);
    let all: BTreeSet<ScopeRef> = topics.chain(stopped.iter().cloned()).collect();
    let choices = all
        .into_iter()
        .filter(|scope| *scope != ScopeRef::Account && !decided.contains(scope))
        .map(|scope| Choice { is_wanted: !stopped.contains(&scope), scope })
        .take(CHOICES_MAX);
    Ok(choices.collect())
}

/// Does what a person asks for by a link, as far as it is not so already; `wording` is what it was
/// shown, `ip` where it came from. Returns whether we made the link. Idempotent.
///
/// # Errors
/// The store's own.
pub async fn change_preferences(
    ctx: &Ctx,
    link: &str,
    change: &PreferenceChange,
    wording: &str,
    ip: Option<std::net::IpAddr>,
) -> Result<bool, Failed> {
    let Some(now) = preferences(ctx, link).await? else { return Ok(false) };
    let Some((account_id, number)) = preference_links::read(&ctx.master_key, link) else {
        return Ok(false);
    };
    let statement = |(scope, is_wanted): (ScopeRef, bool)| {
        let shown = match &scope {
            ScopeRef::Account => wording.to_owned(),
            ScopeRef::Sender(name) | ScopeRef::Topic(name) => {
                format!("{wording}\n[{}] {name}", if is_wanted { "x" } else { " " })
            }
        };
        NewStatement {
            id: ctx.ids.next(),
            suppression_id: ctx.ids.next(),
            account_id,
            number,
            kind: if is_wanted { ConsentKind::Granted } else { ConsentKind::Withdrawn },
            scope,
            source: ConsentSource::PreferencePage,
            wording: shown.chars().take(WORDING_CHARS_MAX).collect(),
            ip: ip.map(|ip| ip.to_canonical().to_string()),
            inbound_message_id: None,
            reason: SuppressionReason::OptedOut,
            note: None,
            occurred_at: ctx.clock.now(),
        }
    };
    let statements: Vec<NewStatement> =
        differences(&now, change).into_iter().map(statement).collect();
    if statements.is_empty() {
        return Ok(true);
    }
    match opt_out::write(ctx, account_id, statements).await {
        Ok(_) => Ok(true),
        Err(Error::Failed(failed)) => Err(failed),
        Err(Error::Rejected(rejection)) => Err(Failed::internal(rejection)),
    }
}

/// What is to change, and whether it is wanted then. Only what the page may have shown can.
fn differences(now: &Preferences, change: &PreferenceChange) -> Vec<(ScopeRef, bool)> {
    match change {
        PreferenceChange::Unsubscribe if now.is_unsubscribed => Vec::new(),
        PreferenceChange::Unsubscribe => vec![(ScopeRef::Account, false)],
        PreferenceChange::Resume if now.may_resume => vec![(ScopeRef::Account, true)],
        PreferenceChange::Resume => Vec::new(),
        PreferenceChange::Choose { shown, wanted } => {
            let choices = now.choices.iter().filter(|choice| shown.contains(&choice.scope));
            choices
                .map(|choice| (choice, wanted.contains(&choice.scope)))
                .filter(|(choice, is_wanted)| choice.is_wanted != *is_wanted)
                .map(|(choice, is_wanted)| (choice.scope.clone(), is_wanted))
                .collect()
        }
    }
}
