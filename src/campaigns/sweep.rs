//! Moving a campaign's waiting messages where its status wants them: held, released or canceled, some
//! hundreds a transaction, each of which makes sure that the status is still the same.

use entity::campaign::{Column, Entity, Model};
use entity::enums::{CampaignStatus, MessageClass};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QuerySelect};

use crate::ctx::Ctx;
use crate::db::Tx;
use crate::events;
use crate::messages::campaigns::{
    MOVED_MAX, Moved, Waiting, Wish, first_message_at, move_waiting, plan_release, release_planned,
};

/// How far the clocks of two nodes may be apart, in ms: the messages' ids are another's than the
/// time of the start.
const CLOCKS_APART_MS: i64 = 10 * 60_000;
/// Transactions of one turn, after which other campaigns have theirs.
const BATCHES_OF_TURN: usize = 20;

/// Moves what waits, as far as one turn goes. Says how many messages.
///
/// # Errors
/// The store's own; what was committed before stays.
pub(super) async fn sweep(ctx: &Ctx, campaign: &Model) -> Result<u64, DbErr> {
    let wish = match campaign.status {
        CampaignStatus::Paused => Wish::Hold,
        CampaignStatus::Running => Wish::Release,
        CampaignStatus::Canceled => Wish::Cancel,
        CampaignStatus::Draft
        | CampaignStatus::Scheduled
        | CampaignStatus::Finished
        | CampaignStatus::Failed => return done(ctx, campaign).await.map(|()| 0),
    };
    let (account_id, campaign_id) = (campaign.account_id, campaign.id);
    let started_at = campaign.started_at_ms.unwrap_or(campaign.created_at_ms);
    let start = first_message_at(started_at.plus_ms(-CLOCKS_APART_MS));
    let mut waiting = Waiting { account_id, campaign_id, wish, from: start };
    let mut swept = 0;
    for _ in 0..BATCHES_OF_TURN {
        let now = ctx.clock.now();
        let planned = match wish == Wish::Release && keeps_quiet_hours(ctx, campaign) {
            true => Some(plan_release(ctx, waiting).await?),
            false => None,
        };
        let planned = planned.as_ref();
        let moved = ctx
            .db
            .write(|tx| async move {
                if !is_still(&tx, campaign).await? {
                    return Ok(None);
                }
                let mut moved = match planned {
                    Some(moves) => release_planned(&tx, moves, now).await?,
                    None => move_waiting(&tx, &ctx.master_key, waiting, now).await?,
                };
                let events = std::mem::take(&mut moved.events);
                let count = events.len();
                events::append(&tx, events).await?;
                Ok::<_, DbErr>(Some((moved, count)))
            })
            .await?;
        let Some((moved, count)) = moved else { return Ok(swept) };
        Moved::ring(&moved, ctx, account_id);
        swept += count as u64;
        match moved.last {
            Some(last) if count == MOVED_MAX => waiting.from = last,
            // Of the next status there may be older ones.
            _ if waiting.from != start => waiting.from = start,
            Some(_) => {}
            None => {
                done(ctx, campaign).await?;
                return Ok(swept);
            }
        }
    }
    Ok(swept)
}

/// Whether what was held may have to wait for its window.
fn keeps_quiet_hours(ctx: &Ctx, campaign: &Model) -> bool {
    campaign.class == MessageClass::Marketing && !ctx.settings.quiet_hours.rules.are_off()
}

/// Whether the campaign is of the version that was read; locks it until the transaction ends.
async fn is_still(tx: &Tx, campaign: &Model) -> Result<bool, DbErr> {
    let row = Entity::find_by_id((campaign.account_id, campaign.id)).lock_exclusive();
    Ok(row.one(&**tx).await?.is_some_and(|row| row.version == campaign.version))
}

/// Notes that nothing is left to be moved, if the campaign is still of this version.
async fn done(ctx: &Ctx, campaign: &Model) -> Result<(), DbErr> {
    ctx.db
        .write(|tx| async move {
            Entity::update_many()
                .col_expr(Column::NeedsSweep, Expr::value(false))
                .filter(Column::AccountId.eq(campaign.account_id))
                .filter(Column::Id.eq(campaign.id))
                .filter(Column::Version.eq(campaign.version))
                .exec(&*tx)
                .await
        })
        .await?;
    Ok(())
}
