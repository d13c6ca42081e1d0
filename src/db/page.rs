//! Keyset paging: a page of rows before or after a key, in the order of that key.
//!
//! The key is one unique column (ids ascend with time, so a list by age pages by id). No offsets:
//! the cost of a page does not grow with its place in the list, and rows that come or go meanwhile
//! neither repeat nor hide others. Called by the queries of the domains; cursors are the edges'.

use entity::ids::{
    AccountId, ApiKeyId, CampaignId, CarrierId, ConsentEventId, ContactExportId, ContactId,
    ContactImportId, GrantedPackageId, InboundMessageId, InvoiceId, LinkDomainId, ListId,
    MessageId, PackageId, PaymentId, PersonId, PlanId, RateCardId, ReconciliationReportId,
    SegmentId, SenderId, SessionId, SuppressionId, VoucherBatchId, WebhookEventId,
};
use sea_orm::sea_query::{Expr, Query, Value};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, FromQueryResult, PaginatorTrait, QueryFilter,
    QueryOrder, QuerySelect, QueryTrait, Select,
};
use uuid::Uuid;

/// Most rows of a page: what a client asks for in one answer, and what one statement holds.
pub const PAGE_ROWS_MAX: u64 = 100;
/// Rows of a page when the client does not say.
pub const PAGE_ROWS_DEFAULT: u64 = 50;

/// Rows that [`count_to_max`] counts at most: some milliseconds' worth.
pub const COUNT_ROWS_MAX: u64 = 10_000;

/// The unique key that a list is ordered by, and its form inside a cursor.
pub trait PageKey: Clone + Send + Sync {
    /// Its bytes in a cursor; at most `types::cursor::POSITION_BYTES_MAX`.
    fn to_bytes(&self) -> Vec<u8>;
    /// Reads what [`to_bytes`](Self::to_bytes) wrote; `None` for anything else.
    fn from_bytes(bytes: &[u8]) -> Option<Self>;
    /// As a bound value.
    fn to_value(&self) -> Value;
}

macro_rules! id_keys {
    ($($id:ident),*) => {$(
        impl PageKey for $id {
            fn to_bytes(&self) -> Vec<u8> {
                self.0.as_bytes().to_vec()
            }

            fn from_bytes(bytes: &[u8]) -> Option<Self> {
                Uuid::from_slice(bytes).ok().map(Self)
            }

            fn to_value(&self) -> Value {
                self.0.into()
            }
        }
    )*};
}

id_keys!(
    AccountId,
    ApiKeyId,
    CampaignId,
    CarrierId,
    ConsentEventId,
    ContactId,
    InboundMessageId,
    InvoiceId,
    GrantedPackageId,
    LinkDomainId,
    ListId,
    MessageId,
    PackageId,
    PaymentId,
    PersonId,
    PlanId,
    RateCardId,
    ReconciliationReportId,
    SegmentId,
    SenderId,
    SessionId,
    SuppressionId,
    VoucherBatchId,
    WebhookEventId,
    ContactImportId,
    ContactExportId
);

/// A number in a list whose rows are numbered.
impl PageKey for i64 {
    fn to_bytes(&self) -> Vec<u8> {
        self.to_be_bytes().to_vec()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Some(Self::from_be_bytes(bytes.try_into().ok()?))
    }

    fn to_value(&self) -> Value {
        (*self).into()
    }
}

impl PageKey for String {
    fn to_bytes(&self) -> Vec<u8> {
        self.as_bytes().to_vec()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Self::from_utf8(bytes.to_vec()).ok()
    }

    fn to_value(&self) -> Value {
        self.clone().into()
    }
}

/// The order in which a list is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListOrder {
    /// The least key first.
    Ascending,
    /// The greatest key first: newest first, where the key is an id.
    Descending,
}

/// From which end of the list a page is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageEnd {
    /// The rows that are shown first (`first`).
    Start,
    /// The rows that are shown last (`last`).
    End,
}

/// What page is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRequest<K> {
    /// How many rows, 0 to [`PAGE_ROWS_MAX`].
    pub size: u64,
    /// From which end.
    pub end: PageEnd,
    /// Only rows shown after this one.
    pub after: Option<K>,
    /// Only rows shown before this one.
    pub before: Option<K>,
}

impl<K> Default for PageRequest<K> {
    /// The first page.
    fn default() -> Self {
        Self { size: PAGE_ROWS_DEFAULT, end: PageEnd::Start, after: None, before: None }
    }
}

/// A page, in the order of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Whether rows follow.
    pub has_next: bool,
    /// Whether rows come before. Where telling would cost a statement of its own: whether the
    /// page began after a cursor.
    pub has_previous: bool,
}

impl<T> Page<T> {
    /// The same page of something else.
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> Page<U> {
        Page {
            items: self.items.into_iter().map(change).collect(),
            has_next: self.has_next,
            has_previous: self.has_previous,
        }
    }
}

/// The page of `select` that `request` names, ordered by `key`, which must be unique within
/// `select`. One statement.
///
/// # Errors
/// The store's own.
pub async fn fetch_page<E, K, C>(
    connection: &C,
    select: Select<E>,
    key: E::Column,
    order: ListOrder,
    request: &PageRequest<K>,
) -> Result<Page<E::Model>, DbErr>
where
    E: EntityTrait,
    E::Model: FromQueryResult + Send + Sync,
    K: PageKey,
    C: ConnectionTrait,
{
    let rows = keyset(select, key, order, request).all(connection).await?;
    Ok(cut(rows, request.size.min(PAGE_ROWS_MAX) as usize, request))
}

/// The rows that [`fetch_page`] reads: those of a page in the order of reading, and one more, which
/// tells whether there are more.
pub fn keyset<E, K>(
    select: Select<E>,
    key: E::Column,
    order: ListOrder,
    request: &PageRequest<K>,
) -> Select<E>
where
    E: EntityTrait,
    K: PageKey,
{
    let mut select = select;
    if let Some(after) = &request.after {
        select = select.filter(match order {
            ListOrder::Ascending => key.gt(after.to_value()),
            ListOrder::Descending => key.lt(after.to_value()),
        });
    }
    if let Some(before) = &request.before {
        select = select.filter(match order {
            ListOrder::Ascending => key.lt(before.to_value()),
            ListOrder::Descending => key.gt(before.to_value()),
        });
    }
    let ascending = (order == ListOrder::Ascending) == (request.end == PageEnd::Start);
    select = if ascending { select.order_by_asc(key) } else { select.order_by_desc(key) };
    select.limit(request.size.min(PAGE_ROWS_MAX) + 1)
}

/// How many rows `select` has in all; the cost grows with them.
///
/// # Errors
/// The store's own.
pub async fn count_all<E, C>(connection: &C, select: Select<E>) -> Result<u64, DbErr>
where
    E: EntityTrait,
    E::Model: FromQueryResult + Send + Sync,
    C: ConnectionTrait,
{
    select.count(connection).await
}

/// How many rows `select` has in all, if these are at most [`COUNT_ROWS_MAX`]: for lists that grow with
/// every message, of which a client that shows a page wants to know that there are many.
///
/// # Errors
/// The store's own.
pub async fn count_to_max<E, C>(connection: &C, select: Select<E>) -> Result<Option<u64>, DbErr>
where
    E: EntityTrait,
    C: ConnectionTrait,
{
    let rows = select.select_only().expr_as(Expr::val(1), "one").limit(COUNT_ROWS_MAX + 1);
    let mut count = Query::select();
    count
        .expr_as(Expr::cust("COUNT(*)"), "counted")
        .from_subquery(QueryTrait::into_query(rows), "found");
    let row = connection.query_one(&count).await?;
    let counted: i64 = row.map(|row| row.try_get("", "counted")).transpose()?.unwrap_or_default();
    Ok(Some(counted.unsigned_abs()).filter(|counted| *counted <= COUNT_ROWS_MAX))
}

/// The page of `rows`, of which one more than `size` was read to see whether there are more, in the
/// order of reading: restores the list's. For lists whose key is more than one column.
pub fn cut<T, K>(mut rows: Vec<T>, size: usize, request: &PageRequest<K>) -> Page<T> {
    let more = rows.len() > size;
    rows.truncate(size);
    match request.end {
        PageEnd::Start => {
            Page { items: rows, has_next: more, has_previous: request.after.is_some() }
        }
        PageEnd::End => {
            rows.reverse();
            Page { items: rows, has_next: request.before.is_some(), has_previous: more }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(end: PageEnd, after: Option<u128>, before: Option<u128>) -> PageRequest<SenderId> {
        let key = |key: Option<u128>| key.map(|key| SenderId(Uuid::from_u128(key)));
        PageRequest { size: 2, end, after: key(after), before: key(before) }
    }

    #[test]
    fn the_row_too_many_only_tells_that_there_are_more() {
        for (rows, request, items, has_next, has_previous) in [
            (vec![1, 2, 3], request(PageEnd::Start, None, None), vec![1, 2], true, false),
            (vec![1, 2], request(PageEnd::Start, Some(9), None), vec![1, 2], false, true),
            (vec![], request(PageEnd::Start, None, None), vec![], false, false),
            (vec![9, 8, 7], request(PageEnd::End, None, None), vec![8, 9], false, true),
            (vec![9], request(PageEnd::End, None, Some(10)), vec![9], true, false),
        ] {
            let page = cut(rows, 2, &request);
            assert_eq!(page, Page { items, has_next, has_previous }, "{request:?}");
        }
    }

    #[test]
    fn keys_survive_a_cursor() {
        let id = SenderId(Uuid::from_u128(7));
        assert_eq!(SenderId::from_bytes(&id.to_bytes()), Some(id));
        assert_eq!(SenderId::from_bytes(&[1, 2]), None);
        let prefix = "4477".to_owned();
        assert_eq!(<String as PageKey>::from_bytes(&prefix.to_bytes()), Some(prefix));
        assert_eq!(<String as PageKey>::from_bytes(&[0xff]), None);
    }
}
