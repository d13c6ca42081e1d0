//! Senders in the contract. Behaviour: `crate::senders`.

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};
use entity::enums;
use entity::sender::Model;

use super::call;
use super::connection::{Connection, PageArguments, cost, wants_total_count};
use super::errors::{Answer, user_error, value_or_rejection};
use super::identity::Account;
use super::ids::{parse_id, show_id};
use super::loaders::{AccountRow, load};
use super::scalars::{Cursor, DateTime};
use crate::senders::{self, ApproveRejection, RegisterRejection, RejectRejection};
use crate::types::cursor::CursorKind;

/// What kind of sender a phone shows.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "enums::SenderKind")]
pub enum SenderKind {
    /// A name of at most 11 characters of the GSM alphabet. It cannot be answered.
    Alphanumeric,
    /// A number in E.164.
    International,
    /// A short code, 3 to 8 digits that one country's networks know.
    ShortCode,
}

/// Whether the operator lets an account use a sender.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "enums::SenderStatus")]
pub enum SenderStatus {
    /// Not decided yet. Live messages cannot use it.
    Pending,
    /// It may be used.
    Approved,
    /// It may not be used; `reason` says why.
    Rejected,
}

/// A sender of an account.
#[derive(Clone, Debug)]
pub struct Sender(pub Model);

/// What an account may show as the origin of its messages, once the operator approved it. Read by
/// everybody in the account, keys with the scope `senders:manage`, and the operator's staff.
#[Object]
impl Sender {
    /// The sender's id, `sndr_…`.
    pub async fn id(&self) -> ID {
        show_id(self.0.id)
    }

    /// Whose sender it is.
    async fn account(&self, context: &Context<'_>) -> Answer<Option<Account>> {
        Ok(load(context, AccountRow(self.0.account_id)).await?.map(Account))
    }

    /// The name, number or short code in its normalized form, as `from` of a message takes it.
    async fn value(&self) -> &str {
        &self.0.value
    }

    /// Which of these it is.
    async fn kind(&self) -> SenderKind {
        self.0.kind.into()
    }

    /// The operator's decision.
    async fn status(&self) -> SenderStatus {
        self.0.status.into()
    }

    /// Why it was rejected, at most 500 characters; null unless it was.
    async fn reason(&self) -> Option<&str> {
        self.0.reason.as_deref()
    }

    /// Grows by one with every change: drop what is older than what you have.
    async fn version(&self) -> i32 {
        self.0.version
    }

    /// When it was registered.
    async fn created_at(&self) -> DateTime {
        self.0.created_at_ms.into()
    }

    /// When it last changed.
    async fn updated_at(&self) -> DateTime {
        self.0.updated_at_ms.into()
    }
}

/// Which senders are wanted. Conditions are joined by AND; an absent or null one does not matter.
#[derive(InputObject, Clone, Copy, Debug, Default)]
pub struct SenderFilter {
    /// Only those of this status.
    pub status: Option<SenderStatus>,
}

impl From<SenderFilter> for senders::SenderFilter {
    fn from(filter: SenderFilter) -> Self {
        Self { status: filter.status.map(Into::into) }
    }
}

/// Reads.
#[derive(Default)]
pub struct SendersQuery;

#[Object]
impl SendersQuery {
    /// The senders of the caller's account, newest first. For everybody in the account and for keys
    /// with the scope `senders:manage`.
    #[graphql(complexity = "cost(first, last).saturating_mul(child_complexity)")]
    async fn senders(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which ones; absent or null: all.")] filter: Option<SenderFilter>,
        #[graphql(desc = "How many from the start of the list, 0 to 100. Default 50.")]
        first: Option<i32>,
        #[graphql(desc = "Only those that follow this cursor.")] after: Option<Cursor>,
        #[graphql(desc = "How many from the end of the list, 0 to 100; not with `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Only those that come before this cursor.")] before: Option<Cursor>,
    ) -> Answer<Connection<Sender>> {
        let ctx = call(context)?;
        let arguments = PageArguments { first, after, last, before };
        let request = arguments.request(CursorKind::Senders)?;
        let filter = filter.unwrap_or_default().into();
        let page = senders::page(ctx, filter, &request).await?;
        let total = if wants_total_count(context) {
            Some(senders::count(ctx, filter).await?)
        } else {
            None
        };
        let page = page.map(|row| (row.id, Sender(row)));
        Ok(Connection::new(CursorKind::Senders, page, total))
    }

    /// The senders of all accounts, newest first. For the operator's owners, admins and support.
    #[graphql(complexity = "cost(first, last).saturating_mul(child_complexity)")]
    async fn all_senders(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which ones; absent or null: all.")] filter: Option<SenderFilter>,
        #[graphql(desc = "How many from the start of the list, 0 to 100. Default 50.")]
        first: Option<i32>,
        #[graphql(desc = "Only those that follow this cursor.")] after: Option<Cursor>,
        #[graphql(desc = "How many from the end of the list, 0 to 100; not with `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Only those that come before this cursor.")] before: Option<Cursor>,
    ) -> Answer<Connection<Sender>> {
        let ctx = call(context)?;
        let arguments = PageArguments { first, after, last, before };
        let request = arguments.request(CursorKind::Senders)?;
        let filter = filter.unwrap_or_default().into();
        let page = senders::page_all(ctx, filter, &request).await?;
        let total = if wants_total_count(context) {
            Some(senders::count_all(ctx, filter).await?)
        } else {
            None
        };
        let page = page.map(|row| (row.id, Sender(row)));
        Ok(Connection::new(CursorKind::Senders, page, total))
    }
}

/// What `registerSender` takes.
#[derive(InputObject, Debug)]
pub struct RegisterSenderInput {
    /// A name of at most 11 characters of the GSM alphabet with a letter among them, a number in
    /// E.164, or a short code of 3 to 8 digits. Blanks around it are dropped.
    pub value: String,
}

/// What `registerSender` answers.
#[derive(SimpleObject)]
pub struct RegisterSenderPayload {
    /// The new sender, waiting for the operator; null if it was not registered.
    sender: Option<Sender>,
    /// Why not; empty if it was.
    user_errors: Vec<RegisterSenderError>,
}

user_error! {
    /// Why a sender was not registered.
    RegisterSenderError,
    /// Why a sender was not registered, for a program to read.
    RegisterSenderErrorCode {
        /// It is neither a name, nor a number, nor a short code.
        InvalidSender,
        /// The account has this sender already.
        SenderAlreadyRegistered,
        /// The account has as many senders as an account may have: 1,000.
        TooManySenders,
    }
}

/// What `approveSender` takes.
#[derive(InputObject, Debug)]
pub struct ApproveSenderInput {
    /// The sender, `sndr_…`.
    pub sender_id: ID,
}

/// What `approveSender` answers.
#[derive(SimpleObject)]
pub struct ApproveSenderPayload {
    /// The sender as it is now; null if it was not approved.
    sender: Option<Sender>,
    /// Why not; empty if it was.
    user_errors: Vec<ApproveSenderError>,
}

user_error! {
    /// Why a sender was not approved.
    ApproveSenderError,
    /// Why a sender was not approved, for a program to read.
    ApproveSenderErrorCode {
        /// There is no such sender.
        SenderNotFound,
    }
}

/// What `rejectSender` takes.
#[derive(InputObject, Debug)]
pub struct RejectSenderInput {
    /// The sender, `sndr_…`.
    pub sender_id: ID,
    /// Why, for the account to read: 1 to 500 characters.
    pub reason: String,
}

/// What `rejectSender` answers.
#[derive(SimpleObject)]
pub struct RejectSenderPayload {
    /// The sender as it is now; null if it was not rejected.
    sender: Option<Sender>,
    /// Why not; empty if it was.
    user_errors: Vec<RejectSenderError>,
}

user_error! {
    /// Why a sender was not rejected.
    RejectSenderError,
    /// Why a sender was not rejected, for a program to read.
    RejectSenderErrorCode {
        /// There is no such sender.
        SenderNotFound,
        /// The reason is empty or longer than 500 characters.
        InvalidReason,
    }
}

/// Writes.
#[derive(Default)]
pub struct SendersMutation;

#[Object]
impl SendersMutation {
    /// Registers a sender for the caller's account; the operator then approves or rejects it. For
    /// owners, admins, developers, and keys with the scope `senders:manage`. Not idempotent: a
    /// second registration answers `SENDER_ALREADY_REGISTERED` and changes nothing.
    async fn register_sender(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to register.")] input: RegisterSenderInput,
    ) -> Answer<RegisterSenderPayload> {
        let outcome = senders::register(call(context)?, &input.value).await;
        Ok(match value_or_rejection(outcome)? {
            Ok(row) => RegisterSenderPayload { sender: Some(Sender(row)), user_errors: Vec::new() },
            Err(rejection) => RegisterSenderPayload {
                sender: None,
                user_errors: vec![register_error(&rejection)],
            },
        })
    }

    /// Lets an account use a sender, also one that was rejected before. For the operator's owners,
    /// admins and support. Idempotent.
    async fn approve_sender(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which sender.")] input: ApproveSenderInput,
    ) -> Answer<ApproveSenderPayload> {
        let outcome = senders::approve(call(context)?, parse_id(&input.sender_id)?).await;
        Ok(match value_or_rejection(outcome)? {
            Ok(row) => ApproveSenderPayload { sender: Some(Sender(row)), user_errors: Vec::new() },
            Err(ApproveRejection::NotFound) => ApproveSenderPayload {
                sender: None,
                user_errors: vec![ApproveSenderError::new(
                    ApproveSenderErrorCode::SenderNotFound,
                    &["senderId"],
                    "there is no such sender",
                )],
            },
        })
    }

    /// Forbids an account to use a sender, also one that was approved before: messages that were
    /// accepted still leave. For the operator's owners, admins and support. Idempotent.
    async fn reject_sender(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which sender, and why.")] input: RejectSenderInput,
    ) -> Answer<RejectSenderPayload> {
        let id = parse_id(&input.sender_id)?;
        let outcome = senders::reject(call(context)?, id, &input.reason).await;
        Ok(match value_or_rejection(outcome)? {
            Ok(row) => RejectSenderPayload { sender: Some(Sender(row)), user_errors: Vec::new() },
            Err(rejection) => {
                RejectSenderPayload { sender: None, user_errors: vec![reject_error(rejection)] }
            }
        })
    }
}

fn register_error(rejection: &RegisterRejection) -> RegisterSenderError {
    let error = |code, message: &str| RegisterSenderError::new(code, &["value"], message);
    match rejection {
        RegisterRejection::Invalid(invalid) => {
            error(RegisterSenderErrorCode::InvalidSender, &invalid.to_string())
        }
        // An account that is acted in exists; were it gone, its sender would be as good as taken.
        RegisterRejection::AlreadyRegistered | RegisterRejection::NoSuchAccount => error(
            RegisterSenderErrorCode::SenderAlreadyRegistered,
            "the account has this sender already",
        ),
        RegisterRejection::TooMany => error(
            RegisterSenderErrorCode::TooManySenders,
            "the account has as many senders as an account may have",
        ),
    }
}

fn reject_error(rejection: RejectRejection) -> RejectSenderError {
    match rejection {
        RejectRejection::NotFound => RejectSenderError::new(
            RejectSenderErrorCode::SenderNotFound,
            &["senderId"],
            "there is no such sender",
        ),
        RejectRejection::InvalidReason => RejectSenderError::new(
            RejectSenderErrorCode::InvalidReason,
            &["reason"],
            "the reason must have 1 to 500 characters",
        ),
    }
}
