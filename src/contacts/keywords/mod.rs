//! Keywords in messages from phones: those that every account has (`words`), and the account's own.

mod words;

use std::collections::HashMap;

use entity::enums::{KeywordAction, KeywordLanguage};
use entity::ids::{AccountId, KeywordId};
use entity::inbound_keyword::{ActiveModel, Column, Entity, Model};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, Select};

pub use words::{Candidate, default_answer, meaning};

use super::model::is_plain;
use crate::authz::Action;
use crate::ctx::Ctx;
use crate::db::{TransactionError, Tx};
use crate::error::{Error, Failed, violated_constraint};

/// Keywords of one account.
pub const KEYWORDS_MAX: u64 = 100;
/// Characters of a keyword as it is compared.
pub const KEYWORD_CHARS_MAX: usize = 30;
/// Characters of an answer: some four parts.
pub const ANSWER_CHARS_MAX: usize = 600;

/// A keyword to be made.
#[derive(Clone, Debug)]
pub struct NewKeyword {
    /// As phones may write it.
    pub word: String,
    /// What it does.
    pub action: KeywordAction,
    /// What is answered; absent: what the platform answers, which only `Answer` has not.
    pub answer: Option<String>,
}

/// Why a keyword was not made or deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeywordRejection {
    /// There is none with this id.
    #[error("there is no such keyword")]
    NotFound,
    /// No letter and no digit, or too long.
    #[error("a keyword has letters or digits, at most {KEYWORD_CHARS_MAX}")]
    InvalidWord,
    /// Another keyword is read in the same way.
    #[error("the account has this keyword already")]
    WordTaken,
    /// Every account has the word, for something else.
    #[error("this word has a meaning of its own in every account: only its answer can be another")]
    Reserved,
    /// Missing, empty or too long.
    #[error("an answer has 1 to {ANSWER_CHARS_MAX} characters, and the action ANSWER needs one")]
    InvalidAnswer,
    /// There are [`KEYWORDS_MAX`].
    #[error("an account has at most {KEYWORDS_MAX} keywords")]
    TooMany,
}

/// Makes a keyword. Not idempotent: a second one of the word is refused.
///
/// # Errors
/// [`KeywordRejection`], or a failure.
pub async fn create_keyword(ctx: &Ctx, new: NewKeyword) -> Result<Model, Error<KeywordRejection>> {
    let account_id = ctx.actor.require_in_account(Action::ManageContacts)?;
    let word = words::compact(&new.word).filter(|it| it.chars().count() <= KEYWORD_CHARS_MAX);
    let word = word.ok_or(Error::Rejected(KeywordRejection::InvalidWord))?;
    if meaning(&word).is_some_and(|(action, _)| action != new.action) {
        return Err(Error::Rejected(KeywordRejection::Reserved));
    }
    let is_missing = new.answer.is_none() && new.action == KeywordAction::Answer;
    let is_bad = |answer: &String| {
        let one_line = answer.replace('\n', " ");
        answer.trim().is_empty() || !is_plain(&one_line, ANSWER_CHARS_MAX)
    };
    if is_missing || new.answer.as_ref().is_some_and(is_bad) {
        return Err(Error::Rejected(KeywordRejection::InvalidAnswer));
    }
    let row = &Model {
        account_id,
        id: ctx.ids.next(),
        word,
        action: new.action,
        answer: new.answer,
        created_at_ms: ctx.clock.now(),
    };
    let created = ctx
        .db
        .write(|tx| async move {
            if of_account(account_id).count(&*tx).await? >= KEYWORDS_MAX {
                return Err(Error::Rejected(KeywordRejection::TooMany));
            }
            Entity::insert(ActiveModel::from(row.clone())).exec_without_returning(&*tx).await?;
            Ok(())
        })
        .await;
    match created {
        Ok(()) => Ok(row.clone()),
        Err(error) if is_word_taken(&error) => Err(Error::Rejected(KeywordRejection::WordTaken)),
        Err(error) => Err(error),
    }
}

fn is_word_taken(error: &Error<KeywordRejection>) -> bool {
    error.store_error().and_then(violated_constraint).is_some_and(|constraint| {
        constraint.contains("inbound_keyword_word_unique")
            || constraint.contains("inbound_keyword.word")
    })
}

/// Deletes a keyword. Deleting again answers [`KeywordRejection::NotFound`].
///
/// # Errors
/// [`KeywordRejection`], or a failure.
pub async fn delete_keyword(ctx: &Ctx, id: KeywordId) -> Result<(), Error<KeywordRejection>> {
    let account_id = ctx.actor.require_in_account(Action::ManageContacts)?;
    let deleted = ctx
        .db
        .write(|tx| async move { Entity::delete_by_id((account_id, id)).exec(&*tx).await })
        .await?;
    match deleted.rows_affected {
        0 => Err(Error::Rejected(KeywordRejection::NotFound)),
        _ => Ok(()),
    }
}

/// The account's own keywords by word, at most [`KEYWORDS_MAX`].
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn keywords(ctx: &Ctx) -> Result<Vec<Model>, Failed> {
    let account_id = ctx.actor.require_in_account(Action::ReadContacts)?;
    Ok(of_account(account_id).order_by_asc(Column::Word).all(ctx.db.reader()).await?)
}

/// A keyword of the caller's account.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn find_keyword(ctx: &Ctx, id: KeywordId) -> Result<Option<Model>, Failed> {
    let account_id = ctx.actor.require_in_account(Action::ReadContacts)?;
    Ok(Entity::find_by_id((account_id, id)).one(ctx.db.reader()).await?)
}

fn of_account(account_id: AccountId) -> Select<Entity> {
    Entity::find().filter(Column::AccountId.eq(account_id))
}

/// What a message from a phone asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meant {
    /// What it does.
    pub action: KeywordAction,
    /// The language of the word, as far as it is known.
    pub language: KeywordLanguage,
    /// The account's own keyword, if it is one.
    pub keyword_id: Option<KeywordId>,
    /// The second of two words, where the first opts out or in: a topic, if there is one.
    pub topic: Option<String>,
}

/// What messages to accounts ask for, in the order given; one statement, and none if no message is
/// short enough to be a keyword.
///
/// # Errors
/// The store's own.
pub async fn read(tx: &Tx, messages: &[(AccountId, &str)]) -> Result<Vec<Option<Meant>>, DbErr> {
    let candidates: Vec<Option<Candidate>> =
        messages.iter().map(|(_, text)| Candidate::of(text)).collect();
    let words: Vec<String> = candidates
        .iter()
        .flatten()
        .map(Candidate::whole)
        .filter(|word| word.chars().count() <= KEYWORD_CHARS_MAX)
        .collect();
    let mut own: HashMap<(AccountId, String), Model> = HashMap::new();
    if !words.is_empty() {
        let found = Entity::find()
            .filter(Column::AccountId.is_in(messages.iter().map(|(account_id, _)| *account_id)))
            .filter(Column::Word.is_in(words))
            .all(&**tx)
            .await?;
        own.extend(found.into_iter().map(|row| ((row.account_id, row.word.clone()), row)));
    }
    let meant = |((account_id, _), candidate): (&(AccountId, &str), &Option<Candidate>)| {
        let candidate = candidate.as_ref()?;
        let whole = candidate.whole();
        let known = meaning(&whole);
        let language = known.map_or(KeywordLanguage::En, |(_, language)| language);
        if let Some(keyword) = own.get(&(*account_id, whole)) {
            let (action, keyword_id) = (keyword.action, Some(keyword.id));
            return Some(Meant { action, language, keyword_id, topic: None });
        }
        if let Some((action, language)) = known {
            return Some(Meant { action, language, keyword_id: None, topic: None });
        }
        let (first, second) = candidate.pair()?;
        let (action, language) = meaning(first)?;
        let topic = Some(second.to_owned());
        matches!(action, KeywordAction::OptOut | KeywordAction::OptIn).then_some(Meant {
            action,
            language,
            keyword_id: None,
            topic,
        })
    };
    Ok(messages.iter().zip(&candidates).map(meant).collect())
}
