//! How many messages of each campaign stand where, and of each of its variants: folded from the log
//! with the roll-ups, so a campaign's totals cost one row, whatever its size, and nothing while its
//! messages are sent. Both are sums of the same changes, written in one transaction. Read by
//! `crate::campaigns`.

use std::collections::{BTreeMap, HashMap};
use std::ops::AddAssign;

use entity::enums::MessageStatus;
use entity::ids::{AccountId, CampaignId};
use sea_orm::DbErr;
use sea_orm::sea_query::Value;

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

impl AddAssign<&Self> for CampaignChange {
    fn add_assign(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
        self.parts += other.parts;
        self.cost_micros += other.cost_micros;
        self.opt_outs += other.opt_outs;
        self.replies += other.replies;
        self.clicks += other.clicks;
        self.unique_clicks += other.unique_clicks;
    }
}

/// Messages of a campaign that are told apart: those of one variant, or of a campaign without any.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Portion {
    pub(super) account_id: AccountId,
    pub(super) campaign_id: CampaignId,
    pub(super) variant: Option<i16>,
}

/// What a batch of events changes.
pub(super) type CampaignChanges = HashMap<Portion, CampaignChange>;

const COLUMNS: &[BulkColumn] = &[
    BulkColumn::new("account_id", BulkType::Uuid),
    BulkColumn::new("campaign_id", BulkType::Uuid),
    BulkColumn::new("ordinal", BulkType::SmallInt),
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

/// The ordinal in a row about a whole campaign.
const WHOLE: i16 = 0;

fn row(
    (account_id, campaign_id): (AccountId, CampaignId),
    ordinal: i16,
    change: &CampaignChange,
) -> [Value; 21] {
    let [a, b, c, d, e, f, g, h, i, j, k, l] = change.counts.map(Into::into);
    let (parts, cost) = (change.parts.into(), change.cost_micros.into());
    let (out, reply) = (change.opt_outs.into(), change.replies.into());
    let (click, first) = (change.clicks.into(), change.unique_clicks.into());
    let (account, campaign) = (account_id.0.into(), campaign_id.0.into());
    [
        account,
        campaign,
        ordinal.into(),
        a,
        b,
        c,
        d,
        e,
        f,
        g,
        h,
        i,
        j,
        k,
        l,
        parts,
        cost,
        out,
        reply,
        click,
        first,
    ]
}

/// The columns that are sums.
fn sums() -> impl Iterator<Item = &'static str> {
    COLUMNS.iter().skip(3).map(|column| column.name)
}

/// Adds changes to the totals of campaigns and of their variants, with the accounts' cursors locked:
/// in two statements.
pub(super) async fn write(tx: &Tx, changes: &CampaignChanges) -> Result<(), DbErr> {
    let mut whole: BTreeMap<_, CampaignChange> = BTreeMap::new();
    let mut variants = Bulk::new(COLUMNS);
    for (portion, change) in changes {
        let campaign = (portion.account_id, portion.campaign_id);
        *whole.entry(campaign).or_default() += change;
        if let Some(ordinal) = portion.variant {
            variants.push(row(campaign, ordinal, change));
        }
    }
    let mut campaigns = Bulk::new(COLUMNS);
    for (campaign, change) in &whole {
        campaigns.push(row(*campaign, WHOLE, change));
    }
    let added = |table: &str, added: &str| {
        let added: Vec<_> =
            sums().map(|sum| format!("{sum} = {table}.{sum} + {added}.{sum}")).collect();
        added.join(", ")
    };
    let sql = format!(
        "INSERT INTO campaign_total (account_id, campaign_id, {sums}) \
         SELECT account_id, campaign_id, {sums} FROM rows WHERE true \
         ON CONFLICT (account_id, campaign_id) DO UPDATE SET {added}",
        sums = sums().collect::<Vec<_>>().join(", "),
        added = added("campaign_total", "excluded"),
    );
    campaigns.execute(tx, &sql, Vec::new()).await?;
    let sql = format!(
        "UPDATE campaign_variant SET {added} FROM rows \
         WHERE campaign_variant.account_id = rows.account_id \
         AND campaign_variant.campaign_id = rows.campaign_id \
         AND campaign_variant.ordinal = rows.ordinal",
        added = added("campaign_variant", "rows"),
    );
    variants.execute(tx, &sql, Vec::new()).await?;
    Ok(())
}
