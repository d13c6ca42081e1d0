//! Links that campaigns shorten.

use sea_orm::entity::prelude::*;

use crate::ids::{AccountId, CampaignId};
use crate::time::UnixMillis;

/// An address that a campaign's messages lead to by short links, one for each recipient, of which
/// nothing is kept: what they say is the number here and the recipient's place.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "short_link")]
pub struct Model {
    /// Whose.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    /// Which: 32 bits, drawn by chance, once in the whole installation.
    #[sea_orm(primary_key, auto_increment = false)]
    pub number: i64,
    /// Of which campaign.
    pub campaign_id: CampaignId,
    /// Where it leads.
    pub url: String,
    /// When the row was made.
    pub created_at_ms: UnixMillis,
    /// Clicks of persons.
    pub clicks: i64,
    /// Recipients of whom there is one.
    pub unique_clicks: i64,
    /// Clicks that were no person's.
    pub bot_clicks: i64,
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
