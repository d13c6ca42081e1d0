//! Variants of a campaign's text, and what became of their messages, folded as `campaign_total` is.

use sea_orm::entity::prelude::*;

use crate::ids::{AccountId, CampaignId};

/// A text that some of a campaign's recipients get, and how many of these messages stand where. Those
/// being handed over count as QUEUED.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "campaign_variant")]
pub struct Model {
    /// Whose.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    /// Of which campaign.
    #[sea_orm(primary_key, auto_increment = false)]
    pub campaign_id: CampaignId,
    /// Its place among the campaign's variants, from 1.
    #[sea_orm(primary_key, auto_increment = false)]
    pub ordinal: i16,
    /// Its name, once in the campaign.
    pub name: String,
    /// The text with its merge fields.
    pub template: String,
    /// Its share of the recipients is its weight by the sum of all.
    pub weight: i16,
    /// Scheduled.
    pub scheduled: i64,
    /// Held back.
    pub held: i64,
    /// Waiting for a carrier.
    pub queued: i64,
    /// Taken by a carrier.
    pub sent: i64,
    /// Reported under way.
    pub enroute: i64,
    /// On the phone.
    pub delivered: i64,
    /// Reported not to arrive.
    pub undelivered: i64,
    /// Out of their validity, by a receipt or by our clock.
    pub expired: i64,
    /// Rejected by the network.
    pub rejected: i64,
    /// Refused by every carrier.
    pub failed: i64,
    /// Canceled.
    pub canceled: i64,
    /// Of unknown fate.
    pub unknown: i64,
    /// Parts that were charged.
    pub parts: i64,
    /// What was charged.
    pub cost_micros: i64,
    /// People who objected after one of its messages.
    pub opt_outs: i64,
    /// Messages from phones that answer one of its messages.
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
