//! Contacts into files: an export says which contacts, who asked for them and until when; its file is
//! written as it is downloaded, page by page, and never kept.
//!
//! Invariants: memory does not grow with the contacts; a text that a spreadsheet would take for a
//! formula is guarded; a download holds the contacts that were there when it began, but
//! those that were deleted meanwhile, and may hold later ones.

use std::collections::HashMap;
use std::fmt::Write as _;

use entity::contact_export::{ActiveModel, Column, Entity, Model};
use entity::enums::AttributeKind;
use entity::ids::{AccountId, AttributeId, ContactExportId, ContactId, ListId, SegmentId};
use entity::{api_key, contact, contact_tag, contact_value, membership};
use futures::Stream;
use futures::stream::unfold;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select,
};
use serde::{Deserialize, Serialize};

use super::condition::{Condition, sql};
use super::csv_text::{BYTE_ORDER_MARK, end_record, text_field};
use super::file_links::{FileKind, FileLink};
use super::model::AttributeValue;
use super::queries::{ContactFilter, filtered_in};
use super::{attributes, lists, segments};
use crate::authz::{Action, Actor};
use crate::ctx::Ctx;
use crate::db::page::{self, ListOrder, Page, PageRequest};
use crate::error::{Error, Failed};

/// Contacts that one statement reads.
const PAGE_ROWS: u64 = 500;

/// Which contacts are exported: those of whom all of this holds.
#[derive(Clone, Debug, Default)]
pub struct NewExport {
    /// As `contacts` filters.
    pub filter: ContactFilter,
    /// In this segment, as its condition is now.
    pub segment_id: Option<SegmentId>,
}

/// The same, as it is stored.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct ExportOptions {
    number: Option<String>,
    list_id: Option<ListId>,
    tag: Option<String>,
    condition: Option<Condition>,
    segment: Option<Condition>,
}

/// Why nothing is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExportRejection {
    /// There is no such list.
    #[error("there is no such list")]
    ListNotFound,
    /// There is no such segment.
    #[error("there is no such segment")]
    SegmentNotFound,
}

/// Makes an export, whose file can be downloaded at once. Not idempotent: each call makes another.
///
/// # Errors
/// [`ExportRejection`], or a failure.
pub async fn create_export(ctx: &Ctx, new: NewExport) -> Result<Model, Error<ExportRejection>> {
    let account_id = ctx.actor.require_in_account(Action::ManageContacts)?;
    let reader = ctx.db.reader();
    if let Some(list_id) = new.filter.list_id
        && lists::live_ids(reader, account_id, &[list_id]).await?.is_empty()
    {
        return Err(Error::Rejected(ExportRejection::ListNotFound));
    }
    let segment = match new.segment_id {
        None => None,
        Some(id) => {
            let found = segments::segments_by_ids(ctx, &[id]).await?;
            let found = found.first().ok_or(Error::Rejected(ExportRejection::SegmentNotFound))?;
            Some(segments::segment_condition(found)?)
        }
    };
    if let Some(condition) = &new.filter.condition {
        condition.check().map_err(|fault| Failed::BadRequest(fault.to_string()))?;
    }
    let options = ExportOptions {
        number: new.filter.number,
        list_id: new.filter.list_id,
        tag: new.filter.tag,
        condition: new.filter.condition,
        segment,
    };
    let now = ctx.clock.now();
    let (person_id, api_key_id) = match &ctx.actor {
        Actor::Person(person) => (Some(person.person_id), None),
        Actor::Key(key) => (None, Some(key.api_key_id)),
        Actor::Anonymous | Actor::CommandLine | Actor::System => (None, None),
    };
    let row = &Model {
        account_id,
        id: ctx.ids.next(),
        options: serde_json::to_string(&options).map_err(Failed::internal)?,
        person_id,
        api_key_id,
        expires_at_ms: now.plus_ms(ctx.settings.contacts.export_ttl_s * 1_000),
        download_count: 0,
        contact_count: None,
        downloaded_at_ms: None,
        created_at_ms: now,
    };
    ctx.db
        .write(|tx| async move {
            let insert = Entity::insert(ActiveModel::from(row.clone()));
            insert.exec_without_returning(&*tx).await.map(drop)
        })
        .await?;
    Ok(row.clone())
}

/// An export of the caller's account.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn find_export(ctx: &Ctx, id: ContactExportId) -> Result<Option<Model>, Failed> {
    Ok(of_account(ctx)?.filter(Column::Id.eq(id)).one(ctx.db.reader()).await?)
}

/// A page of the account's exports, newest first.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn exports_page(
    ctx: &Ctx,
    request: &PageRequest<ContactExportId>,
) -> Result<Page<Model>, Failed> {
    let order = ListOrder::Descending;
    Ok(page::fetch_page(ctx.db.reader(), of_account(ctx)?, Column::Id, order, request).await?)
}

/// How many exports [`exports_page`] pages through.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn exports_count(ctx: &Ctx) -> Result<u64, Failed> {
    Ok(page::count_all(ctx.db.reader(), of_account(ctx)?).await?)
}

fn of_account(ctx: &Ctx) -> Result<Select<Entity>, Failed> {
    let account_id = ctx.actor.require_in_account(Action::ReadContacts)?;
    Ok(Entity::find().filter(Column::AccountId.eq(account_id)))
}

/// Where an export's file is downloaded, until it expires. For those who may export.
pub fn download_link(ctx: &Ctx, export: &Model) -> Option<String> {
    ctx.actor.require_in_account(Action::ManageContacts).ok()?;
    (ctx.clock.now() < export.expires_at_ms).then(|| {
        let link = FileLink {
            kind: FileKind::Export,
            account_id: export.account_id,
            id: export.id.0,
            expires_at: export.expires_at_ms,
        };
        format!("{}/downloads/{}", ctx.settings.public_url(), link.sign(&ctx.master_key))
    })
}

/// The file of an export, on its way out.
pub struct ExportFile {
    ctx: Ctx,
    export: Model,
    options: ExportOptions,
    attributes: Vec<(AttributeId, String, AttributeKind)>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Header,
    After(Option<ContactId>),
    Ended,
}

/// The file that `link` is to; none if it is to no export, or its time is over. The download is
/// counted. For whoever has the link.
///
/// # Errors
/// [`Failed`]: the store's own.
pub async fn export_file(ctx: &Ctx, link: &str) -> Result<Option<ExportFile>, Failed> {
    let link = FileLink::read(&ctx.master_key, link);
    let is_good =
        |link: &FileLink| link.kind == FileKind::Export && ctx.clock.now() < link.expires_at;
    let Some(link) = link.filter(is_good) else { return Ok(None) };
    let id = (link.account_id, ContactExportId(link.id));
    let Some(export) = Entity::find_by_id(id).one(ctx.db.reader()).await? else { return Ok(None) };
    if !is_still_in(ctx, &export).await? {
        return Ok(None);
    }
    let options = serde_json::from_str(&export.options).map_err(Failed::internal)?;
    let attributes = attributes::by_key(ctx.db.reader(), export.account_id).await?;
    let mut attributes: Vec<_> =
        attributes.into_values().map(|it| (it.id, it.key, it.kind)).collect();
    attributes.sort_by(|(_, one, _), (_, other, _)| one.cmp(other));
    let now = ctx.clock.now();
    count(ctx, &export, |update| {
        update
            .col_expr(Column::DownloadCount, Expr::col(Column::DownloadCount).add(1))
            .col_expr(Column::DownloadedAtMs, Expr::value(now.0))
    })
    .await?;
    let ctx = ctx.clone();
    Ok(Some(ExportFile { ctx, export, options, attributes, state: State::Header }))
}

/// Whether who asked for an export still belongs to the account, or the key is still good.
async fn is_still_in(ctx: &Ctx, export: &Model) -> Result<bool, DbErr> {
    let reader = ctx.db.reader();
    if let Some(person_id) = export.person_id {
        let key = (export.account_id, person_id);
        return Ok(membership::Entity::find_by_id(key).one(reader).await?.is_some());
    }
    let Some(key_id) = export.api_key_id else { return Ok(true) };
    let key = api_key::Entity::find_by_id(key_id).one(reader).await?;
    Ok(key.is_some_and(|key| key.revoked_at_ms.is_none()))
}

async fn count(
    ctx: &Ctx,
    export: &Model,
    change: impl Fn(sea_orm::UpdateMany<Entity>) -> sea_orm::UpdateMany<Entity> + Send + Sync,
) -> Result<(), DbErr> {
    let (account_id, id, change) = (export.account_id, export.id, &change);
    ctx.db
        .write(|tx| async move {
            let update = change(Entity::update_many());
            let update = update.filter(Column::AccountId.eq(account_id));
            update.filter(Column::Id.eq(id)).exec(&*tx).await.map(drop)
        })
        .await
}

impl ExportFile {
    /// Its name.
    pub fn name(&self) -> String {
        format!("{}.csv", self.export.id)
    }

    /// Its text, a page of contacts at a time: `number`, `tags`, `created_at`, then the attributes
    /// by key, of which each has a column whether a contact has a value or not.
    pub fn text(self) -> impl Stream<Item = Result<String, Failed>> + Send + 'static {
        unfold((self, 0_i64), |(mut file, mut contacts)| async move {
            match file.next(&mut contacts).await {
                Ok(Some(text)) => Some((Ok(text), (file, contacts))),
                Ok(None) => None,
                // The error is the stream's last word.
                Err(failed) => {
                    file.state = State::Ended;
                    Some((Err(failed), (file, contacts)))
                }
            }
        })
    }

    async fn next(&mut self, contacts: &mut i64) -> Result<Option<String>, Failed> {
        let after = match self.state {
            State::Header => {
                self.state = State::After(None);
                return Ok(Some(self.header()));
            }
            State::After(after) => after,
            State::Ended => return Ok(None),
        };
        let mut select = self.contacts().await?;
        if let Some(after) = after {
            select = select.filter(contact::Column::Id.gt(after));
        }
        let reader = self.ctx.db.reader();
        let page = select.order_by_asc(contact::Column::Id).limit(PAGE_ROWS).all(reader).await?;
        *contacts += page.len() as i64;
        let Some(last) = page.last() else {
            self.state = State::Ended;
            let total = *contacts;
            let told = |update: sea_orm::UpdateMany<Entity>| {
                update.col_expr(Column::ContactCount, Expr::value(total))
            };
            count(&self.ctx, &self.export, told).await?;
            return Ok(None);
        };
        self.state = State::After(Some(last.id));
        Ok(Some(self.records(&page).await?))
    }

    /// All by conditions that are asked of each contact of a page: SQLite would make a list of all
    /// members for each page.
    async fn contacts(&self) -> Result<Select<contact::Entity>, Failed> {
        let options = &self.options;
        let account_id = self.export.account_id;
        let filter = ContactFilter { number: options.number.clone(), ..ContactFilter::default() };
        let select = filtered_in(&self.ctx, account_id, &filter).await?;
        let conditions = options.segment.iter().chain(&options.condition).cloned();
        let list = options.list_id.map(Condition::List);
        let tag = options.tag.clone().map(Condition::Tag);
        let condition = Condition::All(conditions.chain(list).chain(tag).collect());
        let (text, values) = sql(self.ctx.db.store(), account_id, &condition);
        Ok(select.filter(Expr::cust_with_values(text, values)))
    }

    fn header(&self) -> String {
        let mut out = format!("{BYTE_ORDER_MARK}number,tags,created_at,");
        for (_, key, _) in &self.attributes {
            text_field(key, &mut out);
            out.push(',');
        }
        end_record(&mut out);
        out
    }

    async fn records(&self, page: &[contact::Model]) -> Result<String, DbErr> {
        let (account_id, reader) = (self.export.account_id, self.ctx.db.reader());
        let ids: Vec<ContactId> = page.iter().map(|contact| contact.id).collect();
        let mut tags = tags_of(reader, account_id, &ids).await?;
        let kinds = self.attributes.iter().map(|(id, _, kind)| (*id, *kind)).collect();
        let values = values_of(reader, account_id, &ids, &kinds).await?;
        let mut out = String::new();
        for contact in page {
            // A plus sign and digits: no formula that could do anything, and read back as it is.
            let _ = write!(out, "{},", contact.number);
            text_field(&tags.remove(&contact.id).unwrap_or_default().join(";"), &mut out);
            let created = chrono::DateTime::from_timestamp_millis(contact.created_at_ms.0);
            let created = created.unwrap_or_default();
            let created = created.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
            let _ = write!(out, ",{created},");
            for (attribute_id, _, _) in &self.attributes {
                match values.get(&(contact.id, *attribute_id)) {
                    Some(AttributeValue::Text(text)) => text_field(text, &mut out),
                    Some(AttributeValue::Number(number)) => {
                        let _ = write!(out, "{number}");
                    }
                    Some(AttributeValue::Boolean(truth)) => {
                        let _ = write!(out, "{truth}");
                    }
                    Some(AttributeValue::Date(day)) => {
                        let day = chrono::TimeDelta::days((*day).into());
                        let day = chrono::NaiveDate::default().checked_add_signed(day);
                        let _ = write!(out, "{}", day.unwrap_or_default());
                    }
                    None => {}
                }
                out.push(',');
            }
            end_record(&mut out);
        }
        Ok(out)
    }
}

async fn tags_of<C: ConnectionTrait>(
    reader: &C,
    account_id: AccountId,
    ids: &[ContactId],
) -> Result<HashMap<ContactId, Vec<String>>, DbErr> {
    let found = contact_tag::Entity::find()
        .filter(contact_tag::Column::AccountId.eq(account_id))
        .filter(contact_tag::Column::ContactId.is_in(ids.iter().copied()))
        .order_by_asc(contact_tag::Column::Tag)
        .all(reader)
        .await?;
    let mut tags: HashMap<ContactId, Vec<String>> = HashMap::new();
    for row in found {
        tags.entry(row.contact_id).or_default().push(row.tag);
    }
    Ok(tags)
}

async fn values_of<C: ConnectionTrait>(
    reader: &C,
    account_id: AccountId,
    ids: &[ContactId],
    kinds: &HashMap<AttributeId, AttributeKind>,
) -> Result<HashMap<(ContactId, AttributeId), AttributeValue>, DbErr> {
    let found = contact_value::Entity::find()
        .filter(contact_value::Column::AccountId.eq(account_id))
        .filter(contact_value::Column::ContactId.is_in(ids.iter().copied()))
        .all(reader)
        .await?;
    let value = |row: contact_value::Model| {
        let kind = *kinds.get(&row.attribute_id)?;
        let value = AttributeValue::from_columns(kind, row.text_value, row.number_value)?;
        Some(((row.contact_id, row.attribute_id), value))
    };
    Ok(found.into_iter().filter_map(value).collect())
}
