//! Reads of identity.

use async_graphql::{Context, Object};

use super::{Account, ApiKey, Session, Viewer};
use crate::graphql::call;
use crate::graphql::connection::{Connection, PageArguments, cost, wants_total_count};
use crate::graphql::errors::Answer;
use crate::graphql::scalars::Cursor;
use crate::identity;
use crate::types::cursor::CursorKind;

/// Reads.
#[derive(Default)]
pub struct IdentityQuery;

#[Object]
impl IdentityQuery {
    /// Who is asking, and what they may do. For everybody who is signed in, and for keys with any
    /// scope.
    async fn viewer(&self, context: &Context<'_>) -> Answer<Viewer> {
        Ok(identity::viewer(call(context)?).await?.into())
    }

    /// The account that the caller acts in. For everybody in the account, and for keys with any
    /// scope.
    async fn account(&self, context: &Context<'_>) -> Answer<Account> {
        Ok(Account(identity::account_of_caller(call(context)?).await?))
    }

    /// The API keys of the caller's account, newest first, also those that are revoked or expired.
    /// For owners, admins and developers.
    #[graphql(complexity = "cost(first, last).saturating_mul(child_complexity)")]
    async fn api_keys(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How many from the start of the list, 0 to 100. Default 50.")]
        first: Option<i32>,
        #[graphql(desc = "Only those that follow this cursor.")] after: Option<Cursor>,
        #[graphql(desc = "How many from the end of the list, 0 to 100; not with `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Only those that come before this cursor.")] before: Option<Cursor>,
    ) -> Answer<Connection<ApiKey>> {
        let ctx = call(context)?;
        let request = PageArguments { first, after, last, before }.request(CursorKind::ApiKeys)?;
        let page = identity::api_keys(ctx, &request).await?;
        let total = match wants_total_count(context) {
            true => Some(identity::api_keys_count(ctx).await?),
            false => None,
        };
        let page = page.map(|key| (key.id, ApiKey(key)));
        Ok(Connection::new(CursorKind::ApiKeys, page, total))
    }

    /// The caller's own log-ins that are not over, newest first. For everybody who is signed in;
    /// not for keys.
    #[graphql(complexity = "cost(first, last).saturating_mul(child_complexity)")]
    async fn sessions(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How many from the start of the list, 0 to 100. Default 50.")]
        first: Option<i32>,
        #[graphql(desc = "Only those that follow this cursor.")] after: Option<Cursor>,
        #[graphql(desc = "How many from the end of the list, 0 to 100; not with `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Only those that come before this cursor.")] before: Option<Cursor>,
    ) -> Answer<Connection<Session>> {
        let ctx = call(context)?;
        let request = PageArguments { first, after, last, before }.request(CursorKind::Sessions)?;
        let page = identity::sessions(ctx, &request).await?;
        let total = match wants_total_count(context) {
            true => Some(identity::sessions_count(ctx).await?),
            false => None,
        };
        let page = page.map(|row| (row.id, Session(row)));
        Ok(Connection::new(CursorKind::Sessions, page, total))
    }

    /// All accounts, newest first, the operator's own among them. For the operator's staff.
    #[graphql(complexity = "cost(first, last).saturating_mul(child_complexity)")]
    async fn accounts(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How many from the start of the list, 0 to 100. Default 50.")]
        first: Option<i32>,
        #[graphql(desc = "Only those that follow this cursor.")] after: Option<Cursor>,
        #[graphql(desc = "How many from the end of the list, 0 to 100; not with `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Only those that come before this cursor.")] before: Option<Cursor>,
    ) -> Answer<Connection<Account>> {
        let ctx = call(context)?;
        let request = PageArguments { first, after, last, before }.request(CursorKind::Accounts)?;
        let page = identity::accounts(ctx, &request).await?;
        let total = match wants_total_count(context) {
            true => Some(identity::accounts_count(ctx).await?),
            false => None,
        };
        let page = page.map(|row| (row.id, Account(row)));
        Ok(Connection::new(CursorKind::Accounts, page, total))
    }
}
