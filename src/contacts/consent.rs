//! Consent and suppressions: the log of what people agreed to, and the numbers that are not written
//! to, known by a keyed hash.
//!
//! The statements here run in the transactions of `messages::opt_out`, which also stops what waits
//! to be sent; those callers were authorized. Checked twice: when messages are accepted, and when
//! they are claimed for dispatch, under the account's [`Fence`](crate::db::Fence).

mod queries;

use std::collections::{HashMap, HashSet};

use entity::enums::{ConsentKind, ConsentSource, SuppressionReason, SuppressionScope};
use entity::ids::{AccountId, ConsentEventId, InboundMessageId, SuppressionId};
use entity::suppression;
use entity::time::UnixMillis;
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QuerySelect};
use serde::{Deserialize, Serialize};

pub use queries::{
    ConsentFilter, events_count, events_page, find_event, find_suppression, suppressions_by_macs,
    suppressions_count, suppressions_of, suppressions_page,
};

use super::model::Topic;
use super::store::{default_region, number_mac, parse_number};
use crate::ctx::Ctx;
use crate::db::{Bulk, BulkColumn, BulkType, Tx};
use crate::keys::MasterKey;
use crate::types::phone::PhoneNumber;
use crate::types::sender::Sender;

/// What a suppression or a statement of consent reaches.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScopeRef {
    /// Everything of the account.
    Account,
    /// What comes from this sender, in its normalized form.
    Sender(String),
    /// What is about this topic.
    Topic(String),
}

impl ScopeRef {
    /// What comes from a sender, as people write it; none if that is no sender.
    pub fn sender(text: &str) -> Option<Self> {
        Sender::parse(text).ok().map(|sender| Self::Sender(sender.to_string()))
    }

    /// What is about a topic; none if that is no topic.
    pub fn topic(text: &str) -> Option<Self> {
        Topic::parse(text).map(|topic| Self::Topic(topic.as_str().to_owned()))
    }

    /// As stored.
    pub fn columns(&self) -> (SuppressionScope, &str) {
        match self {
            Self::Account => (SuppressionScope::Account, ""),
            Self::Sender(sender) => (SuppressionScope::Sender, sender),
            Self::Topic(topic) => (SuppressionScope::Topic, topic),
        }
    }

    /// From what [`columns`](Self::columns) gave.
    pub fn from_columns(scope: SuppressionScope, value: &str) -> Self {
        match scope {
            SuppressionScope::Account => Self::Account,
            SuppressionScope::Sender => Self::Sender(value.to_owned()),
            SuppressionScope::Topic => Self::Topic(value.to_owned()),
        }
    }
}

/// A statement to be recorded.
#[derive(Clone)]
pub struct NewStatement {
    /// Drawn before the transaction.
    pub id: ConsentEventId,
    /// Drawn before the transaction: of the suppression, if the statement makes one.
    pub suppression_id: SuppressionId,
    /// Whose log.
    pub account_id: AccountId,
    /// Of which number.
    pub number: PhoneNumber,
    /// What was said.
    pub kind: ConsentKind,
    /// What it reaches.
    pub scope: ScopeRef,
    /// How it came.
    pub source: ConsentSource,
    /// What the person was shown or wrote, at most 2,000 characters.
    pub wording: String,
    /// The address that it came from.
    pub ip: Option<String>,
    /// The message that said it.
    pub inbound_message_id: Option<InboundMessageId>,
    /// Why, if it makes a suppression.
    pub reason: SuppressionReason,
    /// The account's own words on a suppression.
    pub note: Option<String>,
    /// When it was said.
    pub occurred_at: UnixMillis,
}

const EVENT_COLUMNS: &[BulkColumn] = &[
    BulkColumn::new("account_id", BulkType::Uuid),
    BulkColumn::new("id", BulkType::Uuid),
    BulkColumn::new("number_mac", BulkType::Bytes),
    BulkColumn::new("kind", BulkType::SmallInt),
    BulkColumn::new("scope", BulkType::SmallInt),
    BulkColumn::new("scope_value", BulkType::Text),
    BulkColumn::new("source", BulkType::SmallInt),
    BulkColumn::new("wording", BulkType::Text),
    BulkColumn::nullable("ip", BulkType::Text),
    BulkColumn::nullable("inbound_message_id", BulkType::Uuid),
    BulkColumn::new("occurred_at_ms", BulkType::BigInt),
];

/// Appends statements to the log, in one statement.
///
/// # Errors
/// The store's own.
pub async fn append(
    tx: &Tx,
    key: &MasterKey,
    statements: &[NewStatement],
    now: UnixMillis,
) -> Result<(), DbErr> {
    let mut rows = Bulk::new(EVENT_COLUMNS);
    for it in statements {
        let (scope, value) = it.scope.columns();
        rows.push([
            it.account_id.0.into(),
            it.id.0.into(),
            number_mac(key, it.account_id, it.number.e164()).to_vec().into(),
            it.kind.code().into(),
            scope.code().into(),
            value.into(),
            it.source.code().into(),
            it.wording.clone().into(),
            it.ip.clone().into(),
            it.inbound_message_id.map(|id| id.0).into(),
            it.occurred_at.0.into(),
        ]);
    }
    rows.execute(
        tx,
        "INSERT INTO consent_event (account_id, id, number_mac, kind, scope, scope_value, source, \
         wording, ip, inbound_message_id, occurred_at_ms, recorded_at_ms) SELECT account_id, id, \
         number_mac, kind, scope, scope_value, source, wording, ip, inbound_message_id, \
         occurred_at_ms, {1} FROM rows",
        vec![now.0.into()],
    )
    .await?;
    Ok(())
}

const SUPPRESSION_COLUMNS: &[BulkColumn] = &[
    BulkColumn::new("account_id", BulkType::Uuid),
    BulkColumn::new("id", BulkType::Uuid),
    BulkColumn::new("number_mac", BulkType::Bytes),
    BulkColumn::new("scope", BulkType::SmallInt),
    BulkColumn::new("scope_value", BulkType::Text),
    BulkColumn::new("last_digits", BulkType::Text),
    BulkColumn::new("reason", BulkType::SmallInt),
    BulkColumn::nullable("note", BulkType::Text),
];

/// Makes the suppressions that statements ask for. Returns the ids of those that are new: a number
/// that is suppressed already stays so, with its first reason.
///
/// # Errors
/// The store's own.
pub async fn suppress(
    tx: &Tx,
    key: &MasterKey,
    statements: &[NewStatement],
    now: UnixMillis,
) -> Result<HashSet<SuppressionId>, DbErr> {
    let mut rows = Bulk::new(SUPPRESSION_COLUMNS);
    for it in statements {
        let (scope, value) = it.scope.columns();
        let digits = it.number.digits();
        rows.push([
            it.account_id.0.into(),
            it.suppression_id.0.into(),
            number_mac(key, it.account_id, it.number.e164()).to_vec().into(),
            scope.code().into(),
            value.into(),
            digits[digits.len() - 2..].into(),
            it.reason.code().into(),
            it.note.clone().into(),
        ]);
    }
    let made = rows
        .query(
            tx,
            "INSERT INTO suppression (account_id, id, number_mac, scope, scope_value, \
             last_digits, reason, note, created_at_ms) SELECT account_id, id, number_mac, scope, \
             scope_value, last_digits, reason, note, {1} FROM rows WHERE true \
             ORDER BY account_id, number_mac, scope, scope_value \
             ON CONFLICT DO NOTHING RETURNING id",
            vec![now.0.into()],
        )
        .await?;
    made.iter().map(|row| row.try_get("", "id")).collect()
}

/// Ends the suppressions of just the scopes of statements. Returns the ids of the statements that
/// ended one.
///
/// # Errors
/// The store's own.
pub async fn lift(
    tx: &Tx,
    key: &MasterKey,
    statements: &[NewStatement],
) -> Result<HashSet<ConsentEventId>, DbErr> {
    let mut lifted = HashSet::new();
    for it in statements {
        let (scope, value) = it.scope.columns();
        let mac = number_mac(key, it.account_id, it.number.e164()).to_vec();
        let deleted = suppression::Entity::delete_many()
            .filter(suppression::Column::AccountId.eq(it.account_id))
            .filter(suppression::Column::NumberMac.eq(mac))
            .filter(suppression::Column::Scope.eq(scope))
            .filter(suppression::Column::ScopeValue.eq(value))
            .exec(&**tx)
            .await?;
        if deleted.rows_affected > 0 {
            lifted.insert(it.id);
        }
    }
    Ok(lifted)
}

/// Something that is to be sent, as far as suppressions reach it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addressed<'a> {
    /// Whose message.
    pub account_id: AccountId,
    /// To this number, E.164.
    pub recipient: &'a str,
    /// From this sender, normalized.
    pub sender: &'a str,
    /// About this.
    pub topic: Option<&'a str>,
}

/// The suppressions of some numbers.
#[derive(Debug, Default)]
pub struct Suppressed(HashMap<(AccountId, Vec<u8>), Vec<ScopeRef>>);

impl Suppressed {
    /// Whether one of them reaches a message.
    pub fn reaches(&self, key: &MasterKey, message: Addressed<'_>) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let mac = number_mac(key, message.account_id, message.recipient).to_vec();
        self.0.get(&(message.account_id, mac)).is_some_and(|scopes| {
            scopes.iter().any(|scope| match scope {
                ScopeRef::Account => true,
                ScopeRef::Sender(sender) => sender == message.sender,
                ScopeRef::Topic(topic) => Some(topic.as_str()) == message.topic,
            })
        })
    }

    /// Whether a message's recipient is suppressed in just this scope.
    pub fn has(&self, key: &MasterKey, message: Addressed<'_>, scope: &ScopeRef) -> bool {
        let mac = number_mac(key, message.account_id, message.recipient).to_vec();
        self.0.get(&(message.account_id, mac)).is_some_and(|scopes| scopes.contains(scope))
    }

    fn add(&mut self, account_id: AccountId, mac: Vec<u8>, scope: SuppressionScope, value: &str) {
        let scopes = self.0.entry((account_id, mac)).or_default();
        scopes.push(ScopeRef::from_columns(scope, value));
    }
}

/// The suppressions of numbers of an account, for accepting messages: one statement.
///
/// # Errors
/// The store's own.
pub async fn suppressed_of<'a, C: ConnectionTrait>(
    connection: &C,
    key: &MasterKey,
    account_id: AccountId,
    numbers: impl Iterator<Item = &'a str>,
) -> Result<Suppressed, DbErr> {
    let numbers: HashSet<&str> = numbers.collect();
    let mut suppressed = Suppressed::default();
    if numbers.is_empty() {
        return Ok(suppressed);
    }
    let macs = numbers.into_iter().map(|number| number_mac(key, account_id, number).to_vec());
    let found: Vec<(Vec<u8>, SuppressionScope, String)> = suppression::Entity::find()
        .select_only()
        .columns([
            suppression::Column::NumberMac,
            suppression::Column::Scope,
            suppression::Column::ScopeValue,
        ])
        .filter(suppression::Column::AccountId.eq(account_id))
        .filter(suppression::Column::NumberMac.is_in(macs))
        .into_tuple()
        .all(connection)
        .await?;
    for (mac, scope, value) in found {
        suppressed.add(account_id, mac, scope, &value);
    }
    Ok(suppressed)
}

const NUMBER_COLUMNS: &[BulkColumn] = &[
    BulkColumn::new("account_id", BulkType::Uuid),
    BulkColumn::new("number_mac", BulkType::Bytes),
];

/// The suppressions of the numbers of many accounts' messages, for dispatch: one statement.
///
/// # Errors
/// The store's own.
pub async fn suppressed_among<'a>(
    tx: &Tx,
    key: &MasterKey,
    messages: impl Iterator<Item = Addressed<'a>>,
) -> Result<Suppressed, DbErr> {
    let mut rows = Bulk::new(NUMBER_COLUMNS);
    for message in messages {
        let mac = number_mac(key, message.account_id, message.recipient).to_vec();
        rows.push([message.account_id.0.into(), mac.into()]);
    }
    let found = rows
        .query(
            tx,
            "SELECT s.account_id, s.number_mac, s.scope, s.scope_value FROM rows \
             CROSS JOIN suppression s WHERE s.account_id = rows.account_id \
             AND s.number_mac = rows.number_mac",
            Vec::new(),
        )
        .await?;
    let mut suppressed = Suppressed::default();
    for row in found {
        let value: String = row.try_get("", "scope_value")?;
        let scope = row.try_get("", "scope")?;
        suppressed.add(
            row.try_get("", "account_id")?,
            row.try_get("", "number_mac")?,
            scope,
            &value,
        );
    }
    Ok(suppressed)
}

/// A number of the caller's account as people write it; none if it is no number.
///
/// # Errors
/// The store's own.
pub async fn number_in(
    ctx: &Ctx,
    account_id: AccountId,
    text: &str,
) -> Result<Option<PhoneNumber>, DbErr> {
    Ok(parse_number(text, default_region(ctx.db.reader(), account_id).await?))
}

/// Numbers of the caller's account as people write them; none for what is no number.
///
/// # Errors
/// The store's own.
pub async fn numbers_in(
    ctx: &Ctx,
    account_id: AccountId,
    texts: &[String],
) -> Result<Vec<Option<PhoneNumber>>, DbErr> {
    let region = default_region(ctx.db.reader(), account_id).await?;
    Ok(texts.iter().map(|text| parse_number(text, region)).collect())
}
