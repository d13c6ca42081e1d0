//! How many messages of each campaign stand where: folded from the log with the roll-ups, so a
//! campaign's totals cost one row, whatever its size, and nothing while its messages are sent. Read
//! by `crate::campaigns`.

use std::collections::HashMap;

use entity::enums::MessageStatus;
use entity::ids::{AccountId, CampaignId};
use sea_orm::DbErr;

use crate::db::{Bulk, BulkColumn, BulkType, Tx};

/// The columns of counts, in the order of [`bucket`].
const BUCKETS: [&str; 12] = [
    "scheduled",
    "held",
    "queued",
    "sent",
    "enroute",
    "delivered",
    "undelivered",
    "expired",
    "rejected",
    "failed",
    "canceled",
    "unknown",
];

/// The place of a status in [`BUCKETS`]; none for what no message of a campaign is ever in.
const fn bucket(status: MessageStatus) -> Option<usize> {
    use MessageStatus as Status;
    Some(match status {
        Status::Scheduled => 0,
        Status::Held => 1,
        // Being handed over has no event.
        Status::Queued | Status::Sending => 2,
        Status::Sent => 3,
        Status::Enroute => 4,
        Status::Delivered => 5,
        Status::Undelivered => 6,
        Status::Expired | Status::ExpiredHere => 7,
        Status::Rejected => 8,
        Status::Failed => 9,
        Status::Canceled => 10,
        Status::Unknown => 11,
        Status::Suppressed => return None,
    })
}

/// What a batch of events changes of a campaign's totals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct CampaignChange {
    counts: [i64; BUCKETS.len()],
    pub(super) parts: i64,
    pub(super) cost_micros: i64,
    pub(super) opt_outs: i64,
    pub(super) replies: i64,
    pub(super) clicks: i64,
    pub(super) unique_clicks: i64,
}

impl CampaignChange {
    /// A message came from one status, or from none, into another.
    pub(super) fn moved(&mut self, from: Option<MessageStatus>, to: MessageStatus) {
        if let Some(place) = from.and_then(bucket) {
            self.counts[place] -= 1;
        }
        if let Some(place) = bucket(to) {
            self.counts[place] += 1;
        }
    }
}

/// What a batch of events changes, by campaign.
pub(super) type CampaignChanges = HashMap<(AccountId, CampaignId), CampaignChange>;

const COLUMNS: &[BulkColumn] = &[
    BulkColumn::new("account_id", BulkType::Uuid),
    BulkColumn::new("campaign_id", BulkType::Uuid),
    BulkColumn::new(BUCKETS[0], BulkType::BigInt),
    BulkColumn::new(BUCKETS[1], BulkType::BigInt),
    BulkColumn::new(BUCKETS[2], BulkType::BigInt),
    BulkColumn::new(BUCKETS[3], BulkType::BigInt),
    BulkColumn::new(BUCKETS[4], BulkType::BigInt),
    BulkColumn::new(BUCKETS[5], BulkType::BigInt),
    BulkColumn::new(BUCKETS[6], BulkType::BigInt),
    BulkColumn::new(BUCKETS[7], BulkType::BigInt),
    BulkColumn::new(BUCKETS[8], BulkType::BigInt),
    BulkColumn::new(BUCKETS[9], BulkType::BigInt),
    BulkColumn::new(BUCKETS[10], BulkType::BigInt),
    BulkColumn::new(BUCKETS[11], BulkType::BigInt),
    BulkColumn::new("parts", BulkType::BigInt),
    BulkColumn::new("cost_micros", BulkType::BigInt),
    BulkColumn::new("opt_outs", BulkType::BigInt),
    BulkColumn::new("replies", BulkType::BigInt),
    BulkColumn::new("clicks", BulkType::BigInt),
    BulkColumn::new("unique_clicks", BulkType::BigInt),
];

/// Adds changes to the totals, with the accounts' cursors locked: in one statement.
pub(super) async fn write(tx: &Tx, changes: &CampaignChanges) -> Result<(), DbErr> {
    let mut rows = Bulk::new(COLUMNS);
    for ((account_id, campaign_id), change) in changes {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = change.counts.map(Into::into);
        let (parts, cost) = (change.parts.into(), change.cost_micros.into());
        let (out, reply) = (change.opt_outs.into(), change.replies.into());
        let (click, first) = (change.clicks.into(), change.unique_clicks.into());
        let (account, campaign) = (account_id.0.into(), campaign_id.0.into());
        rows.push([
            account, campaign, a, b, c, d, e, f, g, h, i, j, k, l, parts, cost, out, reply, click,
            first,
        ]);
    }
    let others = ["parts", "cost_micros", "opt_outs", "replies", "clicks", "unique_clicks"];
    let sums: Vec<&str> = BUCKETS.into_iter().chain(others).collect();
    let added: Vec<_> =
        sums.iter().map(|sum| format!("{sum} = campaign_total.{sum} + excluded.{sum}")).collect();
    let sql = format!(
        "INSERT INTO campaign_total (account_id, campaign_id, {sums}) \
         SELECT account_id, campaign_id, {sums} FROM rows WHERE true \
         ON CONFLICT (account_id, campaign_id) DO UPDATE SET {added}",
        sums = sums.join(", "),
        added = added.join(", "),
    );
    rows.execute(tx, &sql, Vec::new()).await?;
    Ok(())
}
