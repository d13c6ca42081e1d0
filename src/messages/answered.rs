//! Which message a person answers who objects or writes back: what opt-outs and replies are counted
//! with. Called in the transactions that record them; appends nothing itself.

use entity::enums::EventKind;
use entity::ids::AccountId;
use entity::time::UnixMillis;
use sea_orm::DbErr;
use uuid::Uuid;

use super::campaigns::first_message_at;
use crate::db::{Bulk, BulkColumn, BulkType, Tx};
use crate::events::NewEvent;

/// For how long after a message what a person does is taken for an answer to it, in ms: seven days,
/// as long as a late receipt counts.
pub const ANSWER_MS_MAX: i64 = 7 * 24 * 3_600_000;

/// Something that a person did.
#[derive(Clone, Debug)]
pub(super) struct Deed {
    /// Of which account.
    pub(super) account_id: AccountId,
    /// The person's number, E.164.
    pub(super) number: String,
    /// Only messages from this sender can be meant.
    pub(super) sender: Option<String>,
    /// Only messages about this topic can be meant.
    pub(super) topic: Option<String>,
    /// What stands for it where no message is found.
    pub(super) id: Uuid,
}

const COLUMNS: &[BulkColumn] = &[
    BulkColumn::new("n", BulkType::Int),
    BulkColumn::new("account_id", BulkType::Uuid),
    BulkColumn::new("number", BulkType::Text),
    BulkColumn::nullable("sender", BulkType::Text),
    BulkColumn::nullable("topic", BulkType::Text),
];

/// The events that tell of what people did, each of the message that it answers: the last one of a
/// campaign that left within [`ANSWER_MS_MAX`], or else the last of any. One statement for all.
pub(super) async fn events(
    tx: &Tx,
    kind: EventKind,
    deeds: &[Deed],
    now: UnixMillis,
) -> Result<Vec<NewEvent>, DbErr> {
    let mut rows = Bulk::new(COLUMNS);
    for (n, deed) in deeds.iter().enumerate() {
        let n = i32::try_from(n).unwrap_or(i32::MAX);
        let (number, account_id) = (deed.number.clone().into(), deed.account_id.0.into());
        let (sender, topic) = (deed.sender.clone().into(), deed.topic.clone().into());
        rows.push([n.into(), account_id, number, sender, topic]);
    }
    let sql = "SELECT rows.n, (SELECT m.id FROM message m WHERE m.account_id = rows.account_id \
        AND m.recipient = rows.number AND m.id >= {1} AND m.submitted_at_ms IS NOT NULL \
        AND (rows.sender IS NULL OR m.sender = rows.sender) \
        AND (rows.topic IS NULL OR m.topic = rows.topic) \
        ORDER BY CASE WHEN m.campaign_id IS NULL THEN 1 ELSE 0 END, m.id DESC LIMIT 1) AS id \
        FROM rows";
    let from = first_message_at(now.plus_ms(-ANSWER_MS_MAX));
    let mut subjects: Vec<Uuid> = deeds.iter().map(|deed| deed.id).collect();
    for row in rows.query(tx, sql, vec![from.0.into()]).await? {
        let n: i32 = row.try_get("", "n")?;
        let found: Option<Uuid> = row.try_get("", "id")?;
        if let Some(subject) = usize::try_from(n).ok().and_then(|n| subjects.get_mut(n)) {
            *subject = found.unwrap_or(*subject);
        }
    }
    let event = |(deed, subject_id): (&Deed, Uuid)| NewEvent {
        account_id: deed.account_id,
        kind,
        subject_id,
        status: 0,
        version: 0,
        error_code: None,
        occurred_at: now,
    };
    Ok(deeds.iter().zip(subjects).map(event).collect())
}
