//! SeaORM and bulk statements on messages that more than one file of this domain uses.

use entity::enums::{EventKind, MessageStatus, NationalLanguage};
use entity::ids::{AccountId, CarrierId, MessageId};
use entity::message::Model as Message;
use entity::time::UnixMillis;
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, QueryResult, Statement};

use super::model::is_cancelable;
use crate::billing::{Charge, RETURNING_CHARGE, read_charge};
use crate::db::{Bulk, BulkColumn, BulkType, Tx};
use crate::events::NewEvent;

const MESSAGE_COLUMNS: &[BulkColumn] = &[
    BulkColumn::new("account_id", BulkType::Uuid),
    BulkColumn::new("id", BulkType::Uuid),
    BulkColumn::new("class", BulkType::SmallInt),
    BulkColumn::new("status", BulkType::SmallInt),
    BulkColumn::new("is_test", BulkType::Bool),
    BulkColumn::new("recipient", BulkType::Text),
    BulkColumn::new("sender", BulkType::Text),
    BulkColumn::new("sender_kind", BulkType::SmallInt),
    BulkColumn::new("text_id", BulkType::Uuid),
    BulkColumn::new("encoding", BulkType::SmallInt),
    BulkColumn::nullable("national_language", BulkType::SmallInt),
    BulkColumn::new("parts", BulkType::SmallInt),
    BulkColumn::nullable("client_reference", BulkType::Text),
    BulkColumn::new("country", BulkType::Text),
    BulkColumn::new("currency", BulkType::Text),
    BulkColumn::new("purse", BulkType::SmallInt),
    BulkColumn::new("unit_price_nanos", BulkType::BigInt),
    BulkColumn::new("price_micros", BulkType::BigInt),
    BulkColumn::nullable("charged_micros", BulkType::BigInt),
    BulkColumn::nullable("charged_version", BulkType::Int),
    BulkColumn::new("carrier_id", BulkType::Uuid),
    BulkColumn::new("due_at_ms", BulkType::BigInt),
    BulkColumn::new("expires_at_ms", BulkType::BigInt),
    BulkColumn::new("created_at_ms", BulkType::BigInt),
    BulkColumn::nullable("topic", BulkType::Text),
    BulkColumn::nullable("route_id", BulkType::Uuid),
    BulkColumn::nullable("granted_package_id", BulkType::Uuid),
    BulkColumn::nullable("campaign_id", BulkType::Uuid),
    BulkColumn::nullable("contact_id", BulkType::Uuid),
    BulkColumn::nullable("valid_until_ms", BulkType::BigInt),
    BulkColumn::nullable("place", BulkType::BigInt),
    BulkColumn::nullable("variant", BulkType::SmallInt),
];

const MESSAGE_INSERT: &str = "INSERT INTO message (account_id, id, class, status, version, \
    is_test, recipient, sender, sender_kind, text_id, encoding, national_language, parts, \
    client_reference, country, currency, purse, unit_price_nanos, price_micros, charged_micros, charged_version, \
    carrier_id, due_at_ms, expires_at_ms, attempt, parts_delivered, created_at_ms, topic, \
    route_id, granted_package_id, campaign_id, contact_id, valid_until_ms, place, variant) \
    SELECT account_id, id, class, status, 1, is_test, recipient, sender, sender_kind, text_id, \
    encoding, national_language, parts, client_reference, country, currency, purse, unit_price_nanos, price_micros, \
    charged_micros, charged_version, carrier_id, due_at_ms, expires_at_ms, 0, 0, created_at_ms, topic, \
    route_id, granted_package_id, campaign_id, contact_id, valid_until_ms, place, variant \
    FROM rows";

/// Inserts new messages, in one statement.
pub(super) async fn insert_messages(tx: &Tx, messages: &[Message]) -> Result<(), DbErr> {
    let mut rows = Bulk::new(MESSAGE_COLUMNS);
    for message in messages {
        rows.push([
            message.account_id.0.into(),
            message.id.0.into(),
            message.class.code().into(),
            message.status.code().into(),
            message.is_test.into(),
            message.recipient.clone().into(),
            message.sender.clone().into(),
            message.sender_kind.code().into(),
            message.text_id.0.into(),
            message.encoding.code().into(),
            message.national_language.map(NationalLanguage::code).into(),
            message.parts.into(),
            message.client_reference.clone().into(),
            message.country.clone().into(),
            message.currency.clone().into(),
            message.purse.code().into(),
            message.unit_price_nanos.into(),
            message.price_micros.into(),
            message.charged_micros.into(),
            message.charged_version.into(),
            message.carrier_id.0.into(),
            message.due_at_ms.0.into(),
            message.expires_at_ms.0.into(),
            message.created_at_ms.0.into(),
            message.topic.clone().into(),
            message.route_id.map(|id| id.0).into(),
            message.granted_package_id.map(|id| id.0).into(),
            message.campaign_id.map(|id| id.0).into(),
            message.contact_id.map(|id| id.0).into(),
            message.valid_until_ms.map(|time| time.0).into(),
            message.place.into(),
            message.variant.into(),
        ]);
    }
    rows.execute(tx, MESSAGE_INSERT, Vec::new()).await?;
    Ok(())
}

/// A message whose status a statement changed, as the statement returned it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Changed {
    pub(super) account_id: AccountId,
    pub(super) id: MessageId,
    pub(super) status: MessageStatus,
    pub(super) version: i32,
    pub(super) error_code: Option<String>,
    /// What it costs, if the statement ended its hold.
    pub(super) charge: Option<Charge>,
}

/// What an `UPDATE message` returns for [`Changed`].
pub(super) fn returning_changed() -> String {
    format!(
        "RETURNING message.account_id, message.id, message.status, message.version, \
         message.error_code, {RETURNING_CHARGE}"
    )
}

/// What an `UPDATE message` sets to end a message's hold without a charge: it never left.
pub(super) const RELEASE_HOLD: &str = "charged_micros = COALESCE(charged_micros, 0), \
    charged_version = CASE WHEN charged_micros IS NULL THEN version + 1 ELSE charged_version END";

impl Changed {
    /// Reads a row of [`returning_changed`].
    pub(super) fn read(row: &QueryResult) -> Result<Self, DbErr> {
        Ok(Self {
            account_id: row.try_get("", "account_id")?,
            id: row.try_get("", "id")?,
            status: row.try_get("", "status")?,
            version: row.try_get("", "version")?,
            error_code: row.try_get("", "error_code")?,
            charge: read_charge(row)?,
        })
    }

    /// The event that tells of the change.
    pub(super) fn event(&self, occurred_at: UnixMillis) -> NewEvent {
        NewEvent {
            account_id: self.account_id,
            kind: EventKind::MessageStatusChanged,
            subject_id: self.id.0,
            status: self.status.code(),
            version: self.version,
            error_code: self.error_code.clone(),
            occurred_at,
        }
    }
}

/// The statuses in which a message can be canceled, as a list for SQL.
pub(super) fn cancelable_statuses() -> String {
    let cancelable = MessageStatus::ALL.iter().filter(|status| is_cancelable(**status));
    cancelable.map(|status| status.code().to_string()).collect::<Vec<_>>().join(", ")
}

/// The condition "in this status" as the index `message_due` serves it: SQLite takes a partial
/// index only for a query that repeats its condition, with the numbers written out.
pub(super) fn is_due_in(status: MessageStatus) -> String {
    format!("status = {} AND status IN (0, 20, 30, 35, 90)", status.code())
}

/// The messages of a carrier that were claimed, by the token of the claim.
///
/// `claimed` is a condition on `claim_token` with `$2` for `token`.
pub(super) async fn claimed<C: ConnectionTrait>(
    connection: &C,
    carrier_id: CarrierId,
    claimed: &str,
    token: i64,
) -> Result<Vec<Message>, DbErr> {
    let sql = format!(
        "SELECT * FROM message WHERE {} AND carrier_id = $1 AND {claimed} \
         ORDER BY claim_token LIMIT {CLAIMED_MAX}",
        is_due_in(MessageStatus::Sending),
    );
    let values = [carrier_id.0.into(), token.into()];
    let backend = connection.get_database_backend();
    Message::find_by_statement(Statement::from_sql_and_values(backend, sql, values))
        .all(connection)
        .await
}

/// Messages of one answer of [`claimed`].
const CLAIMED_MAX: u64 = 500;
