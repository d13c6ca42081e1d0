//! What became of messages, added up by time and kind: what charts are drawn from.

use sea_orm::entity::prelude::*;

use crate::enums::{MessageClass, Purse};
use crate::ids::{AccountId, CampaignId, CarrierId, RouteId};

/// The messages of one kind in one stretch of time. Messages count in the stretch in which they were
/// accepted, whenever something becomes of them; parts and cost in that in which they were charged,
/// and what people did in that in which they did it.
///
/// The table's key is all columns up to `error_code`, and the campaign. SeaORM's ends at twelve, so here it has the first
/// four alone, which do not name a row: rows are added up, never looked up.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "rollup")]
pub struct Model {
    /// Whose.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    /// How long the stretch is, in seconds: a minute, a quarter of an hour, an hour, a day of UTC.
    #[sea_orm(primary_key, auto_increment = false)]
    pub resolution_s: i32,
    /// 0: of all messages, whatever their country, carrier, route, sender, class and error, which are
    /// blank then: what most charts show, in one row. 1: told apart by all of these.
    #[sea_orm(primary_key, auto_increment = false)]
    pub detail: i16,
    /// Its start, in seconds since 1970-01-01 UTC.
    #[sea_orm(primary_key, auto_increment = false)]
    pub starts_at_s: i64,
    /// Accepted under test keys.
    pub is_test: bool,
    /// The recipients' country, two letters (ISO 3166-1), empty where the plan names none.
    pub country: String,
    /// The carrier that the route led to.
    pub carrier_id: CarrierId,
    /// The route; all zeros where there was none.
    pub route_id: RouteId,
    /// As the phone shows it.
    pub sender: String,
    /// Which class.
    pub class: MessageClass,
    /// ISO 4217; `XXX` for the purse of parts.
    pub currency: String,
    /// Charged to which purse.
    pub purse: Purse,
    /// The code of what went wrong; empty where the outcome has none.
    pub error_code: String,
    /// Messages accepted.
    pub accepted: i64,
    /// Of them, those that a carrier took.
    pub sent: i64,
    /// Now DELIVERED.
    pub delivered: i64,
    /// Now UNDELIVERED.
    pub undelivered: i64,
    /// Now FAILED.
    pub failed: i64,
    /// Now EXPIRED, by our clock or the carrier's.
    pub expired: i64,
    /// Now REJECTED.
    pub rejected: i64,
    /// Now CANCELED.
    pub canceled: i64,
    /// Now SUPPRESSED.
    pub suppressed: i64,
    /// Now UNKNOWN.
    pub unknown: i64,
    /// Parts that carriers took.
    pub parts: i64,
    /// What was charged.
    pub cost_micros: i64,
    /// Times from QUEUED to SENT, as a histogram (`src/rollups/histogram.rs`).
    pub to_sent: Option<Vec<u8>>,
    /// Times from SENT to DELIVERED, likewise.
    pub to_delivered: Option<Vec<u8>>,
    /// The campaign; all zeros for messages of none.
    pub campaign_id: CampaignId,
    /// People who objected.
    pub opt_outs: i64,
    /// Messages from phones that answer.
    pub replies: i64,
    /// Clicks of persons on short links.
    pub clicks: i64,
    /// Recipients who clicked, each once a message.
    pub unique_clicks: i64,
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
