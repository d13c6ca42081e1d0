//! Messages: also the queue that dispatch claims from.

use sea_orm::entity::prelude::*;

use crate::enums::{Encoding, MessageClass, MessageStatus, NationalLanguage, Purse, SenderKind};
use crate::ids::{
    AccountId, CampaignId, CarrierId, ContactId, GrantedPackageId, MessageId, RouteId, TextId,
};
use crate::time::UnixMillis;

/// A message to one recipient.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "message")]
pub struct Model {
    /// Whose.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    /// Its id; ids ascend in the order of acceptance.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: MessageId,
    /// Its lane.
    pub class: MessageClass,
    /// Where it stands.
    pub status: MessageStatus,
    /// Grows by one with every change.
    pub version: i32,
    /// Accepted under a test key.
    pub is_test: bool,
    /// E.164 with the plus sign.
    pub recipient: String,
    /// As the phone shows it.
    pub sender: String,
    /// What `sender` is.
    pub sender_kind: SenderKind,
    /// Its text; the text may be gone.
    pub text_id: TextId,
    /// On the air.
    pub encoding: Encoding,
    /// Whose shift tables it is written with, if GSM by its default tables would not do.
    pub national_language: Option<NationalLanguage>,
    /// On the air, from 1.
    pub parts: i16,
    /// The sender's own name for it.
    pub client_reference: Option<String>,
    /// The recipient's country, two letters (ISO 3166-1); empty where the plan names none.
    pub country: String,
    /// What its account is charged in, also where parts of a package pay for it.
    pub currency: String,
    /// Which purse it is charged to.
    pub purse: Purse,
    /// The price of a part, in nano-units of the purse: one where parts of a package pay for it.
    pub unit_price_nanos: i64,
    /// The price of all parts: held from acceptance until `charged_micros` is known.
    pub price_micros: i64,
    /// What was charged for it; none while the price is held.
    pub charged_micros: Option<i64>,
    /// The version in which that came to be known.
    pub charged_version: Option<i32>,
    /// The carrier that its route leads to.
    pub carrier_id: CarrierId,
    /// When the next thing is due in this status: the send time, the next try, or the last moment for a receipt.
    pub due_at_ms: UnixMillis,
    /// The end of its validity.
    pub expires_at_ms: UnixMillis,
    /// Tries begun.
    pub attempt: i16,
    /// The lease under which it was claimed.
    pub claim_token: Option<i64>,
    /// Written before the first octet leaves.
    pub submitted_at_ms: Option<UnixMillis>,
    /// The carrier's id of a single part; those of several parts stand in `submission`.
    pub carrier_message_id: Option<String>,
    /// The carrier had taken every part.
    pub sent_at_ms: Option<UnixMillis>,
    /// It took its final status.
    pub finished_at_ms: Option<UnixMillis>,
    /// Parts with a receipt of delivery.
    pub parts_delivered: i16,
    /// The public code of what went wrong.
    pub error_code: Option<String>,
    /// When the row was made.
    pub created_at_ms: UnixMillis,
    /// What it is about, where its recipient may object to that alone.
    pub topic: Option<String>,
    /// The route that led to its carrier; none for the simulator.
    pub route_id: Option<RouteId>,
    /// The package that pays for it; none: the account's money does.
    pub granted_package_id: Option<GrantedPackageId>,
    /// The campaign that it is part of.
    pub campaign_id: Option<CampaignId>,
    /// The contact that the campaign wrote to; the contact may be gone.
    pub contact_id: Option<ContactId>,
    /// The end of its validity, where the window of quiet hours ends before it at `expires_at_ms`.
    pub valid_until_ms: Option<UnixMillis>,
    /// The place among its campaign's recipients that its short links name, from 1; none without
    /// links.
    pub place: Option<i64>,
    /// The variant of its campaign's text that it is, from 1; none where there is one text.
    pub variant: Option<i16>,
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
