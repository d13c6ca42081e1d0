//! Where a short link leads.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use sea_orm::{ConnectionTrait, DbErr, Statement};

use super::token::{Cipher, Token};
use crate::ctx::{Ctx, Platform};

/// Addresses that are remembered: at most 40 MB, of the longest. They never change.
const KNOWN_MAX: usize = 20_000;

/// An address, and how many recipients its campaign has.
#[derive(Clone, Debug)]
struct Known {
    url: Arc<str>,
    recipients: i64,
}

/// Follows links. Those that were followed lately lead on while the store does not answer.
pub struct Links {
    platform: Arc<Platform>,
    cipher: Cipher,
    known: Mutex<HashMap<u32, Known>>,
}

impl Links {
    /// Nothing is remembered.
    pub fn new(platform: Arc<Platform>) -> Self {
        let cipher = Cipher::new(&platform.master_key);
        Self { platform, cipher, known: Mutex::default() }
    }

    /// Where a link leads; none if it is none that was given to anybody. For whoever has it.
    ///
    /// # Errors
    /// The store's own.
    pub async fn target(&self, text: &str) -> Result<Option<Arc<str>>, DbErr> {
        let Some(Token { number, place }) = self.cipher.open(text) else { return Ok(None) };
        let has_it = |known: &Known| i64::from(place) <= known.recipients;
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&number).cloned();
        if let Some(known) = known.filter(has_it) {
            return Ok(Some(known.url));
        }
        let Some(read) = self.read(number).await? else { return Ok(None) };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert(number, read.clone());
        Ok(Some(read).filter(has_it).map(|known| known.url))
    }

    async fn read(&self, number: u32) -> Result<Option<Known>, DbErr> {
        let ctx = Ctx::system(Arc::clone(&self.platform), "short link");
        let statement = Statement::from_sql_and_values(
            ctx.db.store().backend(),
            "SELECT l.url, c.recipients FROM short_link l JOIN campaign c \
             ON c.account_id = l.account_id AND c.id = l.campaign_id WHERE l.number = $1",
            [i64::from(number).into()],
        );
        let row = ctx.db.reader().query_one_raw(statement).await?;
        let known = |row: sea_orm::QueryResult| {
            let url: String = row.try_get("", "url")?;
            Ok(Known { url: url.into(), recipients: row.try_get("", "recipients")? })
        };
        row.map(known).transpose()
    }
}
