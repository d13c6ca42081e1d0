//! Campaigns: one text to an audience.

use sea_orm::entity::prelude::*;

use crate::enums::{CampaignReason, CampaignStatus, MessageClass};
use crate::ids::{AccountId, CampaignId, ContactId, LinkDomainId};
use crate::time::UnixMillis;

/// A campaign, and how far its messages have been made.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "campaign")]
pub struct Model {
    /// Whose.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    /// Its id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: CampaignId,
    /// For people; not unique.
    pub name: String,
    /// The sender's stored value.
    pub sender: String,
    /// The lane of its messages.
    pub class: MessageClass,
    /// What it is about, where recipients may object to that alone.
    pub topic: Option<String>,
    /// The text with its merge fields; that of the first variant, if it has variants.
    pub template: String,
    /// Whom it is for, as JSON of `contacts::Audience`.
    pub audience: String,
    /// The audience as one condition, as it was when it started: JSON of `contacts::Condition`.
    pub condition: Option<String>,
    /// Where it stands.
    pub status: CampaignStatus,
    /// Why it is PAUSED or FAILED.
    pub reason: Option<CampaignReason>,
    /// Made under a test key: its messages are played.
    pub is_test: bool,
    /// When it starts by itself.
    pub scheduled_at_ms: Option<UnixMillis>,
    /// Messages a second at most; none: as fast as they can be made.
    pub rate_per_s: Option<i32>,
    /// The last contact up to whom the audience is frozen.
    pub frozen_after: Option<ContactId>,
    /// The audience is frozen whole.
    pub frozen_at_ms: Option<UnixMillis>,
    /// Recipients that are frozen.
    pub recipients: i64,
    /// The last recipient whose message was made or refused.
    pub expanded_after: Option<ContactId>,
    /// All were.
    pub expanded_at_ms: Option<UnixMillis>,
    /// Recipients whose message was made or refused.
    pub expanded: i64,
    /// Messages made.
    pub accepted: i64,
    /// Recipients without a message since they objected or are suppressed.
    pub suppressed: i64,
    /// Recipients without a message for other reasons.
    pub refused: i64,
    /// What the messages that were made cost, as priced then.
    pub price_micros: i64,
    /// From when its rate is counted.
    pub paced_from_ms: Option<UnixMillis>,
    /// How many recipients were expanded then.
    pub paced_after: i64,
    /// Messages that had failed when it was last started or resumed.
    pub failed_before: i64,
    /// Messages whose fate was decided then.
    pub decided_before: i64,
    /// Its waiting messages do not all stand as its status wants them.
    pub needs_sweep: bool,
    /// Grows by one with every change of what a person set, or of the status.
    pub version: i32,
    /// When the row was made.
    pub created_at_ms: UnixMillis,
    /// When it last changed.
    pub updated_at_ms: UnixMillis,
    /// When it first ran.
    pub started_at_ms: Option<UnixMillis>,
    /// When it was FINISHED, CANCELED or FAILED.
    pub finished_at_ms: Option<UnixMillis>,
    /// The time by each recipient's clock at which its message is due, as 2026-12-31T09:00:00; then
    /// `scheduled_at_ms` is when the first clock on Earth shows it.
    pub send_at_local: Option<String>,
    /// The campaign whose failed messages it tries again.
    pub parent_id: Option<CampaignId>,
    /// It tries messages of unknown fate again as well.
    pub retries_unknown: bool,
    /// The campaign whose split of contacts among variants it keeps; none: its own.
    pub split_from: Option<CampaignId>,
    /// The account's domain that its short links begin with; none: the installation's.
    pub link_domain_id: Option<LinkDomainId>,
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
