//! Gives the HTTP edge where short links lead.

use std::sync::Arc;

use async_trait::async_trait;
use http::HeaderMap;

use crate::http::{NotNow, RequestId, ShortLinks};
use crate::links::Links;

/// Where links lead.
pub(super) struct Followed(pub(super) Links);

#[async_trait]
impl ShortLinks for Followed {
    async fn follow(
        &self,
        token: &str,
        visitor: Option<&HeaderMap>,
        request_id: RequestId,
    ) -> Result<Option<Arc<str>>, NotNow> {
        self.0.follow(token, visitor).await.map_err(|error| {
            let error: &(dyn std::error::Error + 'static) = &error;
            tracing::error!(request.id = %request_id, error, "a short link cannot be followed");
            NotNow
        })
    }
}
