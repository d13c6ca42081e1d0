//! Answers to keywords: to be sent, sent, or refused.

use sea_orm::entity::prelude::*;

use crate::enums::{AutoReplyState, KeywordAction, KeywordLanguage};
use crate::ids::{AccountId, InboundMessageId, KeywordId, MessageId};
use crate::time::UnixMillis;

/// The answer to one message from a phone.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "auto_reply")]
pub struct Model {
    /// Whose.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    /// What is answered.
    #[sea_orm(primary_key, auto_increment = false)]
    pub inbound_message_id: InboundMessageId,
    /// From this sender of the account.
    pub sender: String,
    /// To this phone, E.164.
    pub recipient: String,
    /// What the keyword did.
    pub action: KeywordAction,
    /// The language of the keyword.
    pub language: KeywordLanguage,
    /// The account's own keyword, if it was one.
    pub keyword_id: Option<KeywordId>,
    /// Whether it is sent to who objected, too.
    pub passes_suppression: bool,
    /// Where it stands.
    pub state: AutoReplyState,
    /// The message that answers, once there is one.
    pub message_id: Option<MessageId>,
    /// Why it is not sent.
    pub refusal: Option<String>,
    /// When the row was made.
    pub created_at_ms: UnixMillis,
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
