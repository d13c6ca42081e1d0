//! The short links of a campaign: a row for each address, made before its first message.

use std::collections::HashMap;

use entity::ids::{AccountId, CampaignId};
use entity::short_link::{Column, Entity};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QuerySelect, Statement,
};

use super::token::{Cipher, TOKEN_CHARS, Token};
use crate::ctx::Ctx;

/// How often a number is drawn: with a million of four billion taken, ten draws hit one each with a
/// chance of 10^-36.
const DRAWS_MAX: usize = 10;

/// Makes the links of some addresses, for one recipient after the other.
pub struct Shortener {
    base: String,
    cipher: Cipher,
    /// Of each address; none where links are only to be measured.
    numbers: Vec<Option<u32>>,
}

impl Shortener {
    /// For addresses of a campaign, in their order. Makes rows of those that have none yet: may be
    /// called again and beside another. Writes nothing if there are no addresses.
    ///
    /// # Errors
    /// The store's own.
    pub async fn of_campaign(
        ctx: &Ctx,
        account_id: AccountId,
        campaign_id: CampaignId,
        urls: &[&str],
    ) -> Result<Self, DbErr> {
        let mut found = HashMap::new();
        for _ in 0..DRAWS_MAX {
            if urls.iter().all(|url| found.contains_key(*url)) {
                break;
            }
            found = read(ctx, account_id, campaign_id).await?;
            let missing = urls.iter().filter(|url| !found.contains_key(**url));
            let missing: HashMap<&str, u32> =
                missing.map(|url| (*url, ctx.randomness.u64() as u32)).collect();
            if !missing.is_empty() {
                write(ctx, account_id, campaign_id, &missing).await?;
                found = read(ctx, account_id, campaign_id).await?;
            }
        }
        let numbers = urls.iter().map(|url| found.get(*url).copied());
        let numbers: Option<Vec<u32>> = numbers.collect();
        let numbers = numbers
            .ok_or_else(|| DbErr::Custom("no number was free for a short link".to_owned()))?;
        Ok(Self { numbers: numbers.into_iter().map(Some).collect(), ..Self::unmade(ctx, 0) })
    }

    /// For so many addresses whose links are to be measured and shown, and lead nowhere: they are as
    /// long as those that will be made.
    pub fn unmade(ctx: &Ctx, count: usize) -> Self {
        let base = ctx.settings.short_link_base();
        Self { base, cipher: Cipher::new(&ctx.master_key), numbers: vec![None; count] }
    }

    /// The same links behind another address, which has no slash at its end.
    pub fn with_base(self, base: String) -> Self {
        Self { base, ..self }
    }

    /// The links of a recipient, in the order of the addresses; 0 is nobody's.
    pub fn links(&self, place: u32) -> Vec<String> {
        let link = |number: &Option<u32>| match number {
            Some(number) => {
                format!("{}/{}", self.base, self.cipher.seal(Token { number: *number, place }))
            }
            None => format!("{}/{}", self.base, "x".repeat(TOKEN_CHARS)),
        };
        self.numbers.iter().map(link).collect()
    }
}

async fn read(
    ctx: &Ctx,
    account_id: AccountId,
    campaign_id: CampaignId,
) -> Result<HashMap<String, u32>, DbErr> {
    let rows: Vec<(String, i64)> = Entity::find()
        .select_only()
        .columns([Column::Url, Column::Number])
        .filter(Column::AccountId.eq(account_id))
        .filter(Column::CampaignId.eq(campaign_id))
        .into_tuple()
        .all(ctx.db.reader())
        .await?;
    let number = |(url, number)| Some((url, u32::try_from(number).ok()?));
    Ok(rows.into_iter().filter_map(number).collect())
}

/// Leaves out addresses that somebody else has made meanwhile, and numbers that are taken.
async fn write(
    ctx: &Ctx,
    account_id: AccountId,
    campaign_id: CampaignId,
    missing: &HashMap<&str, u32>,
) -> Result<(), DbErr> {
    let now = ctx.clock.now();
    ctx.db
        .write(|tx| async move {
            for (url, number) in missing {
                let sql = "INSERT INTO short_link (account_id, number, campaign_id, url, \
                    created_at_ms) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
                let values = [
                    account_id.0.into(),
                    i64::from(*number).into(),
                    campaign_id.0.into(),
                    (*url).into(),
                    now.0.into(),
                ];
                let statement = Statement::from_sql_and_values(tx.store().backend(), sql, values);
                tx.execute_raw(statement).await?;
            }
            Ok(())
        })
        .await
}
