//! Keywords in messages from phones.

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};
use entity::enums;
use entity::inbound_keyword::Model;

use crate::contacts::keywords::{self, KeywordRejection, NewKeyword};
use crate::graphql::call;
use crate::graphql::errors::{Answer, user_error, value_or_rejection};
use crate::graphql::ids::{parse_id, show_id};
use crate::graphql::scalars::DateTime;

/// What a keyword in a message from a phone does.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "enums::KeywordAction")]
pub enum KeywordAction {
    /// Nothing more is sent to the phone from the number that it wrote to. Every account has these
    /// words of 13 languages: STOP, ARRET, BAJA …
    OptOut,
    /// Takes that back: START, UNSTOP, YES …, where the phone had opted out.
    OptIn,
    /// Says how to opt out: HELP, INFO …
    Help,
    /// Is answered with the account's own words.
    Answer,
}

/// A keyword.
#[derive(Clone, Debug)]
pub struct InboundKeyword(pub Model);

/// A keyword of the account's own: a message from a phone that is nothing else, whatever its case,
/// accents and punctuation, is answered at most once. Read by the account's owners, admins, developers
/// and support, and by keys with the scope `contacts:manage`.
#[Object]
impl InboundKeyword {
    /// The keyword's id, `keyw_…`.
    pub async fn id(&self) -> ID {
        show_id(self.0.id)
    }

    /// The word as it is compared: lower case, without accents and blanks.
    async fn word(&self) -> &str {
        &self.0.word
    }

    /// What it does.
    async fn action(&self) -> KeywordAction {
        self.0.action.into()
    }

    /// What is answered, at most 600 characters; null: what the platform answers.
    async fn answer(&self) -> Option<&str> {
        self.0.answer.as_deref()
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime {
        self.0.created_at_ms.into()
    }
}

/// Reads.
#[derive(Default)]
pub struct KeywordsQuery;

#[Object]
impl KeywordsQuery {
    /// The keywords of the caller's account beside those that every account has, by word: at most
    /// 100. For owners, admins, developers, support, and keys with the scope `contacts:manage`.
    async fn keywords(&self, context: &Context<'_>) -> Answer<Vec<InboundKeyword>> {
        let found = keywords::keywords(call(context)?).await?;
        Ok(found.into_iter().map(InboundKeyword).collect())
    }
}

/// What `createKeyword` takes.
#[derive(InputObject, Debug)]
pub struct CreateKeywordInput {
    /// As phones may write it: at most 30 letters and digits.
    pub word: String,
    /// What it does. A word that every account has keeps its action, and gets another answer.
    pub action: KeywordAction,
    /// What is answered, 1 to 600 characters; needed for `ANSWER`, else absent or null: what the
    /// platform answers.
    pub answer: Option<String>,
}

/// What `createKeyword` answers.
#[derive(SimpleObject)]
pub struct CreateKeywordPayload {
    /// The new keyword; null if it was not made.
    keyword: Option<InboundKeyword>,
    /// Why not; empty if it was.
    user_errors: Vec<CreateKeywordError>,
}

user_error! {
    /// Why a keyword was not made.
    CreateKeywordError,
    /// Why a keyword was not made, for a program to read.
    CreateKeywordErrorCode {
        /// There is no letter and no digit in it, or more than 30.
        InvalidWord,
        /// The account has a keyword that is read in the same way.
        WordTaken,
        /// Every account has this word, with another action.
        ReservedWord,
        /// The answer is missing, empty, longer than 600 characters, or has control characters.
        InvalidAnswer,
        /// There are as many keywords as there may be: 100.
        TooManyKeywords,
    }
}

/// What `deleteKeyword` takes.
#[derive(InputObject, Debug)]
pub struct DeleteKeywordInput {
    /// The keyword, `keyw_…`.
    pub keyword_id: ID,
}

/// What `deleteKeyword` answers.
#[derive(SimpleObject)]
pub struct DeleteKeywordPayload {
    /// The id of the keyword that is gone; null if none was deleted.
    deleted_keyword_id: Option<ID>,
    /// Why not; empty if it was.
    user_errors: Vec<DeleteKeywordError>,
}

user_error! {
    /// Why a keyword was not deleted.
    DeleteKeywordError,
    /// Why a keyword was not deleted, for a program to read.
    DeleteKeywordErrorCode {
        /// There is no such keyword.
        KeywordNotFound,
    }
}

/// Writes.
#[derive(Default)]
pub struct KeywordsMutation;

#[Object]
impl KeywordsMutation {
    /// Makes a keyword, or another answer to one that every account has. For owners, admins,
    /// developers, and keys with the scope `contacts:manage`. Not idempotent: a second keyword of the
    /// word answers `WORD_TAKEN`.
    async fn create_keyword(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to make.")] input: CreateKeywordInput,
    ) -> Answer<CreateKeywordPayload> {
        use CreateKeywordErrorCode as Code;
        let CreateKeywordInput { word, action, answer } = input;
        let new = NewKeyword { word, action: action.into(), answer };
        let outcome = keywords::create_keyword(call(context)?, new).await;
        Ok(match value_or_rejection(outcome)? {
            Ok(row) => {
                CreateKeywordPayload { keyword: Some(InboundKeyword(row)), user_errors: Vec::new() }
            }
            Err(rejection) => {
                let (code, path): (_, &[&str]) = match rejection {
                    KeywordRejection::InvalidWord => (Code::InvalidWord, &["word"]),
                    // A keyword that is being made is not looked for.
                    KeywordRejection::WordTaken | KeywordRejection::NotFound => {
                        (Code::WordTaken, &["word"])
                    }
                    KeywordRejection::Reserved => (Code::ReservedWord, &["action"]),
                    KeywordRejection::InvalidAnswer => (Code::InvalidAnswer, &["answer"]),
                    KeywordRejection::TooMany => (Code::TooManyKeywords, &[]),
                };
                let error = CreateKeywordError::new(code, path, rejection);
                CreateKeywordPayload { keyword: None, user_errors: vec![error] }
            }
        })
    }

    /// Deletes a keyword; one that every account has is answered as in every account again. For
    /// owners, admins, developers, and keys with the scope `contacts:manage`. Not idempotent: deleting
    /// again answers `KEYWORD_NOT_FOUND`.
    async fn delete_keyword(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which keyword.")] input: DeleteKeywordInput,
    ) -> Answer<DeleteKeywordPayload> {
        let id = parse_id(&input.keyword_id)?;
        let outcome = keywords::delete_keyword(call(context)?, id).await;
        Ok(match value_or_rejection(outcome)? {
            Ok(()) => DeleteKeywordPayload {
                deleted_keyword_id: Some(input.keyword_id),
                user_errors: Vec::new(),
            },
            Err(rejection) => {
                let code = DeleteKeywordErrorCode::KeywordNotFound;
                let error = DeleteKeywordError::new(code, &["keywordId"], rejection);
                DeleteKeywordPayload { deleted_keyword_id: None, user_errors: vec![error] }
            }
        })
    }
}
