//! Receipts for parts of longer messages: each part keeps its own state, and the message is
//! delivered when all its parts are, undelivered with the first that is not.

use std::collections::BTreeMap;

use entity::enums::{MessageStatus, PartState};
use entity::ids::{AccountId, MessageId};
use entity::time::UnixMillis;
use sea_orm::DbErr;

use super::matching::PartKey;
use crate::db::{Bulk, BulkColumn, BulkType, Tx};

/// A receipt for one part.
#[derive(Clone, Debug)]
pub(super) struct PartReceipt {
    pub(super) account_id: AccountId,
    pub(super) message_id: MessageId,
    pub(super) key: PartKey,
    /// What the carrier says of the part.
    pub(super) status: MessageStatus,
    pub(super) error_code: Option<String>,
    pub(super) state: PartState,
}

/// What the parts' receipts mean for their message.
#[derive(Clone, Debug)]
pub(super) struct WholeProposal {
    pub(super) status: MessageStatus,
    pub(super) error_code: Option<String>,
    pub(super) parts_delivered: i16,
}

const PART_COLUMNS: &[BulkColumn] = &[
    BulkColumn::new("account_id", BulkType::Uuid),
    BulkColumn::new("message_id", BulkType::Uuid),
    BulkColumn::new("attempt", BulkType::SmallInt),
    BulkColumn::new("part", BulkType::SmallInt),
    BulkColumn::new("state", BulkType::SmallInt),
    BulkColumn::nullable("error_code", BulkType::Text),
];

const MESSAGE_COLUMNS: &[BulkColumn] =
    &[BulkColumn::new("account_id", BulkType::Uuid), BulkColumn::new("message_id", BulkType::Uuid)];

/// Writes the parts' states and says what each message should become.
pub(super) async fn apply(
    tx: &Tx,
    receipts: impl Iterator<Item = PartReceipt>,
    now: UnixMillis,
) -> Result<Vec<((AccountId, MessageId), WholeProposal)>, DbErr> {
    let mut rows = Bulk::new(PART_COLUMNS);
    // What was said last of each message, for those that end without delivery or are under way.
    let mut said: BTreeMap<(AccountId, MessageId), (MessageStatus, Option<String>)> =
        BTreeMap::new();
    for receipt in receipts {
        let key = (receipt.account_id, receipt.message_id);
        let worst = said.entry(key).or_insert((MessageStatus::Enroute, None));
        let failed = !matches!(receipt.status, MessageStatus::Enroute | MessageStatus::Delivered);
        if failed {
            *worst = (receipt.status, receipt.error_code.clone());
        }
        if receipt.state == PartState::Accepted {
            continue;
        }
        rows.push([
            receipt.account_id.0.into(),
            receipt.message_id.0.into(),
            receipt.key.attempt.into(),
            receipt.key.part.into(),
            receipt.state.code().into(),
            receipt.error_code.into(),
        ]);
    }
    let sql = format!(
        "UPDATE submission SET state = rows.state, error_code = rows.error_code, \
         updated_at_ms = {{1}} FROM rows WHERE submission.account_id = rows.account_id \
         AND submission.message_id = rows.message_id AND submission.attempt = rows.attempt \
         AND submission.part = rows.part AND submission.state < {delivered}",
        delivered = PartState::Delivered.code(),
    );
    rows.execute(tx, &sql, vec![now.0.into()]).await?;
    let mut proposals = Vec::with_capacity(said.len());
    for (key, delivered, total) in delivered_parts(tx, said.keys().copied()).await? {
        let (status, error_code) = said.remove(&key).unwrap_or((MessageStatus::Enroute, None));
        let (status, error_code) = if delivered == total {
            (MessageStatus::Delivered, None)
        } else {
            (status, error_code)
        };
        proposals.push((key, WholeProposal { status, error_code, parts_delivered: delivered }));
    }
    keep_count(tx, &proposals).await?;
    Ok(proposals)
}

/// For each message how many parts of its best attempt are delivered, and of how many.
async fn delivered_parts(
    tx: &Tx,
    messages: impl Iterator<Item = (AccountId, MessageId)>,
) -> Result<Vec<((AccountId, MessageId), i16, i16)>, DbErr> {
    let mut rows = Bulk::new(MESSAGE_COLUMNS);
    for (account_id, message_id) in messages {
        rows.push([account_id.0.into(), message_id.0.into()]);
    }
    let sql = format!(
        "SELECT s.account_id AS account_id, s.message_id AS message_id, s.attempt AS attempt, \
         CAST(SUM(CASE WHEN s.state = {delivered} THEN 1 ELSE 0 END) AS BIGINT) AS delivered, \
         CAST(COUNT(*) AS BIGINT) AS total \
         FROM rows CROSS JOIN submission s \
         WHERE s.account_id = rows.account_id AND s.message_id = rows.message_id \
         GROUP BY s.account_id, s.message_id, s.attempt",
        delivered = PartState::Delivered.code(),
    );
    let mut best: BTreeMap<(AccountId, MessageId), (i16, i16)> = BTreeMap::new();
    for row in rows.query(tx, &sql, Vec::new()).await? {
        let key = (row.try_get("", "account_id")?, row.try_get("", "message_id")?);
        let count =
            |name| Ok::<_, DbErr>(i16::try_from(row.try_get::<i64>("", name)?).unwrap_or(i16::MAX));
        let (delivered, total) = (count("delivered")?, count("total")?);
        let known = best.entry(key).or_insert((delivered, total));
        if delivered >= known.0 {
            *known = (delivered, total);
        }
    }
    Ok(best.into_iter().map(|(key, (delivered, total))| (key, delivered, total)).collect())
}

const COUNT_COLUMNS: &[BulkColumn] = &[
    BulkColumn::new("account_id", BulkType::Uuid),
    BulkColumn::new("message_id", BulkType::Uuid),
    BulkColumn::new("parts_delivered", BulkType::SmallInt),
];

/// Shows how many parts arrived also where the message's status does not change by it.
async fn keep_count(
    tx: &Tx,
    proposals: &[((AccountId, MessageId), WholeProposal)],
) -> Result<(), DbErr> {
    let mut rows = Bulk::new(COUNT_COLUMNS);
    for ((account_id, message_id), proposal) in proposals {
        rows.push([account_id.0.into(), message_id.0.into(), proposal.parts_delivered.into()]);
    }
    rows.execute(
        tx,
        "UPDATE message SET parts_delivered = rows.parts_delivered FROM rows \
         WHERE message.account_id = rows.account_id AND message.id = rows.message_id \
         AND message.parts_delivered < rows.parts_delivered",
        Vec::new(),
    )
    .await?;
    Ok(())
}
