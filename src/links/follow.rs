//! Where a short link leads.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use entity::ids::{AccountId, CampaignId};
use http::HeaderMap;
use sea_orm::{ConnectionTrait, DbErr, Statement};

use super::clicks::{ClickWriter, Clicks, Said};
use super::hosts::Hosts;
use super::token::{Cipher, Token};
use super::visitor::Visitor;
use crate::ctx::{Ctx, Platform};

/// Addresses that are remembered: at most 40 MB, of the longest. They never change.
const KNOWN_MAX: usize = 20_000;

/// An address, whose it is, and how many recipients its campaign has.
#[derive(Clone, Debug)]
struct Known {
    account_id: AccountId,
    campaign_id: CampaignId,
    url: Arc<str>,
    recipients: i64,
}

/// Follows links. Those that were followed lately lead on while the store does not answer.
pub struct Links {
    platform: Arc<Platform>,
    cipher: Cipher,
    known: Mutex<HashMap<u32, Known>>,
    hosts: Hosts,
    clicks: Clicks,
}

impl Links {
    /// Nothing is remembered. With what writes the clicks.
    pub fn new(platform: Arc<Platform>) -> (Self, ClickWriter) {
        let cipher = Cipher::new(&platform.master_key);
        let (clicks, writer) = Clicks::new(Arc::clone(&platform));
        let hosts = Hosts::new(platform.settings.own_hosts());
        (Self { platform, cipher, known: Mutex::default(), hosts, clicks }, writer)
    }

    /// The account that has verified a host, as it was some seconds ago at most while the store
    /// answers; none for the installation's own hosts and those that are nobody's.
    ///
    /// # Errors
    /// The store's own.
    pub async fn account_of_host(&self, host: &str) -> Result<Option<AccountId>, DbErr> {
        self.hosts.account_of(&self.ctx(), host).await
    }

    /// Where a link leads; none if it is none that was given to anybody, or not one of the account
    /// whose host it is followed at. For whoever has it. With the headers of a request it is a click,
    /// which is noted without waiting for anything; those on the links of tests are not.
    ///
    /// # Errors
    /// The store's own.
    pub async fn follow(
        &self,
        text: &str,
        host_of: Option<AccountId>,
        visitor: Option<&HeaderMap>,
    ) -> Result<Option<Arc<str>>, DbErr> {
        let Some(token) = self.cipher.open(text) else { return Ok(None) };
        let Some(Known { account_id, campaign_id, url, .. }) = self.find(token).await? else {
            return Ok(None);
        };
        if host_of.is_some_and(|host_of| host_of != account_id) {
            return Ok(None);
        }
        let Token { number, place } = token;
        if let Some(headers) = visitor.filter(|_| place > 0) {
            let said = Said { account_id, campaign_id, number, place };
            self.clicks.note(said, Visitor::of(headers));
        }
        Ok(Some(url))
    }

    /// What is known of a link, if its campaign has such a recipient.
    async fn find(&self, Token { number, place }: Token) -> Result<Option<Known>, DbErr> {
        let has_it = |known: &Known| i64::from(place) <= known.recipients;
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&number).cloned();
        if let Some(known) = known.filter(has_it) {
            return Ok(Some(known));
        }
        let Some(read) = self.read(number).await? else { return Ok(None) };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert(number, read.clone());
        Ok(Some(read).filter(has_it))
    }

    async fn read(&self, number: u32) -> Result<Option<Known>, DbErr> {
        let ctx = self.ctx();
        let statement = Statement::from_sql_and_values(
            ctx.db.store().backend(),
            "SELECT l.account_id, l.campaign_id, l.url, c.recipients FROM short_link l JOIN campaign c \
             ON c.account_id = l.account_id AND c.id = l.campaign_id WHERE l.number = $1",
            [i64::from(number).into()],
        );
        let row = ctx.db.reader().query_one_raw(statement).await?;
        let known = |row: sea_orm::QueryResult| {
            let url: String = row.try_get("", "url")?;
            Ok(Known {
                account_id: row.try_get("", "account_id")?,
                campaign_id: row.try_get("", "campaign_id")?,
                url: url.into(),
                recipients: row.try_get("", "recipients")?,
            })
        };
        row.map(known).transpose()
    }

    fn ctx(&self) -> Ctx {
        Ctx::system(Arc::clone(&self.platform), "short link")
    }
}
