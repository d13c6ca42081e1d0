//! Gives the HTTP edge where short links lead.

use async_trait::async_trait;
use http::HeaderMap;
use sea_orm::DbErr;

use crate::http::{Followed, LinkPath, NotNow, RequestId, ShortLink, ShortLinks};
use crate::links::Links;

/// Where links lead.
pub(super) struct LinksOfMessages(pub(super) Links);

#[async_trait]
impl ShortLinks for LinksOfMessages {
    async fn follow(
        &self,
        link: ShortLink<'_>,
        visitor: Option<&HeaderMap>,
        request_id: RequestId,
    ) -> Result<Followed, NotNow> {
        let account_id = match link.host {
            Some(host) => self.0.account_of_host(host).await,
            None => Ok(None),
        };
        let account_id = match (link.path, account_id) {
            (LinkPath::Root, Ok(None)) => return Ok(Followed::NotHere),
            (LinkPath::Root, Err(error)) => return Err(not_now(&error, request_id)),
            // With the store away it is followed as on a host of ours: who has a link may.
            (LinkPath::Prefixed, Err(_)) => None,
            (_, Ok(account_id)) => account_id,
        };
        let found = self.0.follow(link.token, account_id, visitor).await;
        let found = found.map_err(|error| not_now(&error, request_id))?;
        Ok(found.map_or(Followed::Nowhere, Followed::To))
    }

    async fn has_host(&self, host: &str, request_id: RequestId) -> Result<bool, NotNow> {
        let account_id = self.0.account_of_host(host).await;
        Ok(account_id.map_err(|error| not_now(&error, request_id))?.is_some())
    }
}

fn not_now(error: &DbErr, request_id: RequestId) -> NotNow {
    let error: &(dyn std::error::Error + 'static) = error;
    tracing::error!(request.id = %request_id, error, "a short link cannot be followed");
    NotNow
}
