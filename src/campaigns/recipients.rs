//! Statements on frozen recipients.

use entity::campaign::Model;
use entity::campaign_recipient::{Column, Entity};
use entity::contact;
use entity::enums::CampaignStatus;
use entity::ids::{CampaignId, ContactId};
use entity::time::UnixMillis;
use sea_orm::sea_query::{Expr, ExprTrait, Query, Value};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    QueryTrait, Statement,
};
use uuid::Uuid;

use super::retry;
use crate::contacts::Condition;
use crate::ctx::Ctx;
use crate::db::{Bulk, BulkColumn, BulkType, Tx};
use crate::error::Failed;

/// Contacts that one transaction of freezing looks at.
const LOOKED_AT_MAX: u64 = 20_000;

/// Freezes the next part of a campaign's audience, among the contacts that there were when it
/// started. False if there was nothing to do: it is frozen, does not run, or somebody else did it.
pub(super) async fn freeze_next(ctx: &Ctx, campaign: &Model) -> Result<bool, Failed> {
    let (Some(condition), Some(started_at)) = (&campaign.condition, campaign.started_at_ms) else {
        return Err(Failed::internal("a campaign runs without having been started"));
    };
    let condition: Condition = serde_json::from_str(condition).map_err(Failed::internal)?;
    let condition = &condition;
    let after = campaign.frozen_after.unwrap_or(ContactId(Uuid::nil()));
    let until = first_contact_at(started_at.plus_ms(1));
    let reader = ctx.db.reader();
    let last: Option<ContactId> = contact::Entity::find()
        .select_only()
        .column(contact::Column::Id)
        .filter(contact::Column::AccountId.eq(campaign.account_id))
        .filter(contact::Column::Id.gt(after))
        .filter(contact::Column::Id.lt(until))
        .order_by_asc(contact::Column::Id)
        .offset(LOOKED_AT_MAX - 1)
        .limit(1)
        .into_tuple()
        .one(reader)
        .await?;
    let now = ctx.clock.now();
    Ok(ctx
        .db
        .write(|tx| async move {
            let store = tx.store();
            let mut members =
                retry::members(store, campaign, condition).filter(contact::Column::Id.gt(after));
            members = match last {
                Some(last) => members.filter(contact::Column::Id.lte(last)),
                None => members.filter(contact::Column::Id.lt(until)),
            };
            let select = members
                .select_only()
                .column(contact::Column::AccountId)
                .expr(Expr::val(campaign.id.0))
                .column(contact::Column::Id)
                .into_query();
            if !lock_frozen_after(&tx, campaign).await? {
                return Ok(false);
            }
            let mut insert = Query::insert();
            insert.into_table(Entity).columns([
                Column::AccountId,
                Column::CampaignId,
                Column::ContactId,
            ]);
            insert.select_from(select).map_err(|error| DbErr::Custom(error.to_string()))?;
            let frozen = tx.execute(&insert).await?.rows_affected();
            move_frozen_after(&tx, campaign, Frozen { frozen, last, now }).await?;
            Ok::<_, DbErr>(true)
        })
        .await?)
}

/// Whether the campaign still runs with this cursor; locks it until the transaction ends.
async fn lock_frozen_after(tx: &Tx, campaign: &Model) -> Result<bool, DbErr> {
    let found = entity::campaign::Entity::find_by_id((campaign.account_id, campaign.id))
        .lock_exclusive()
        .one(&**tx)
        .await?;
    Ok(found.is_some_and(|row| {
        row.status == CampaignStatus::Running
            && row.frozen_at_ms.is_none()
            && row.frozen_after == campaign.frozen_after
            && row.recipients == campaign.recipients
    }))
}

/// What a transaction froze.
#[derive(Clone, Copy)]
struct Frozen {
    frozen: u64,
    /// The last contact looked at; none: there are no more.
    last: Option<ContactId>,
    now: UnixMillis,
}

async fn move_frozen_after(tx: &Tx, campaign: &Model, frozen: Frozen) -> Result<(), DbErr> {
    use entity::campaign::Column as Campaign;
    let added = i64::try_from(frozen.frozen).unwrap_or(i64::MAX);
    let mut update = entity::campaign::Entity::update_many()
        .col_expr(Campaign::Recipients, Expr::col(Campaign::Recipients).add(added))
        .filter(Campaign::AccountId.eq(campaign.account_id))
        .filter(Campaign::Id.eq(campaign.id));
    update = match frozen.last {
        Some(last) => update.col_expr(Campaign::FrozenAfter, Expr::value(last.0)),
        None => update.col_expr(Campaign::FrozenAtMs, Expr::value(frozen.now.0)),
    };
    update.exec(&**tx).await?;
    Ok(())
}

/// The least id of a contact made at a time or later.
fn first_contact_at(time: UnixMillis) -> ContactId {
    let ms = u64::try_from(time.0).unwrap_or(0) & 0xffff_ffff_ffff;
    ContactId(Uuid::from_u64_pair(ms << 16, 0))
}

/// The next recipients of a frozen campaign, in the order of their ids.
pub(super) async fn next(
    ctx: &Ctx,
    campaign: &Model,
    after: Option<ContactId>,
    limit: u64,
) -> Result<Vec<ContactId>, DbErr> {
    let after = after.unwrap_or(ContactId(Uuid::nil()));
    Entity::find()
        .select_only()
        .column(Column::ContactId)
        .filter(Column::AccountId.eq(campaign.account_id))
        .filter(Column::CampaignId.eq(campaign.id))
        .filter(Column::ContactId.gt(after))
        .order_by_asc(Column::ContactId)
        .limit(limit)
        .into_tuple()
        .all(ctx.db.reader())
        .await
}

/// What an expansion adds to a campaign.
#[derive(Clone, Copy, Debug)]
pub(super) struct Advance {
    /// How many recipients were expanded before: the cursor that is compared.
    pub(super) expanded: i64,
    /// The last of those that are expanded now.
    pub(super) last: ContactId,
    pub(super) accepted: i64,
    pub(super) suppressed: i64,
    pub(super) refused: i64,
    pub(super) price_micros: i64,
    /// From when, and from how many recipients, the rate is counted.
    pub(super) paced: (Option<UnixMillis>, i64),
}

/// Moves the cursor of a campaign that still runs, and locks it until the transaction ends. False if
/// it does not run any more, or its cursor stands elsewhere: then nothing may be made.
pub(super) async fn advance(tx: &Tx, campaign: &Model, by: Advance) -> Result<bool, DbErr> {
    let sql = format!(
        "UPDATE campaign SET expanded = expanded + $1, expanded_after = $2, \
         accepted = accepted + $3, suppressed = suppressed + $4, refused = refused + $5, \
         price_micros = price_micros + $6, paced_from_ms = $7, paced_after = $8 \
         WHERE account_id = $9 AND id = $10 AND expanded = $11 AND status = {running}",
        running = CampaignStatus::Running.code(),
    );
    let values: [Value; 11] = [
        (by.accepted + by.suppressed + by.refused).into(),
        by.last.0.into(),
        by.accepted.into(),
        by.suppressed.into(),
        by.refused.into(),
        by.price_micros.into(),
        by.paced.0.map(|time| time.0).into(),
        by.paced.1.into(),
        campaign.account_id.0.into(),
        campaign.id.0.into(),
        by.expanded.into(),
    ];
    let statement = Statement::from_sql_and_values(tx.store().backend(), sql, values);
    Ok(tx.execute_raw(statement).await?.rows_affected() == 1)
}

/// Notes that all recipients of a campaign are expanded.
pub(super) async fn end(ctx: &Ctx, campaign: &Model) -> Result<(), DbErr> {
    use entity::campaign::Column as Campaign;
    let now = ctx.clock.now();
    ctx.db
        .write(|tx| async move {
            entity::campaign::Entity::update_many()
                .col_expr(Campaign::ExpandedAtMs, Expr::value(now.0))
                .filter(Campaign::AccountId.eq(campaign.account_id))
                .filter(Campaign::Id.eq(campaign.id))
                .filter(Expr::col(Campaign::Expanded).equals(Campaign::Recipients))
                .exec(&*tx)
                .await
        })
        .await?;
    Ok(())
}

const REFUSAL_COLUMNS: &[BulkColumn] =
    &[BulkColumn::new("contact_id", BulkType::Uuid), BulkColumn::new("refusal", BulkType::Text)];

/// Notes of recipients why they get no message, in one statement; nothing for those who get one.
pub(super) async fn note_refusals(
    tx: &Tx,
    (campaign_id, account_id): (CampaignId, entity::ids::AccountId),
    refusals: &[(ContactId, String)],
) -> Result<(), DbErr> {
    let mut rows = Bulk::new(REFUSAL_COLUMNS);
    for (contact_id, refusal) in refusals {
        rows.push([contact_id.0.into(), refusal.clone().into()]);
    }
    rows.execute(
        tx,
        "UPDATE campaign_recipient SET refusal = rows.refusal FROM rows \
         WHERE campaign_recipient.account_id = {1} AND campaign_recipient.campaign_id = {2} \
         AND campaign_recipient.contact_id = rows.contact_id",
        vec![account_id.0.into(), campaign_id.0.into()],
    )
    .await?;
    Ok(())
}
