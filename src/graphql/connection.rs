//! Relay connections: the one shape of every list that grows.
//!
//! A resolver takes [`PageArguments`], asks its domain for a `Page` by the [`PageRequest`] they
//! make, and answers with a [`Connection`].

use std::borrow::Cow;

use async_graphql::{Context, Object, OutputType, SimpleObject, TypeName};

use super::errors::Answer;
use super::scalars::Cursor;
use crate::db::page::{PAGE_ROWS_DEFAULT, PAGE_ROWS_MAX, Page, PageEnd, PageKey, PageRequest};
use crate::error::Failed;
use crate::types::cursor::{Cursor as CursorText, CursorKind};

/// What the complexity of a list is multiplied by: how many items it may have.
pub fn cost(first: Option<i32>, last: Option<i32>) -> usize {
    let size =
        first.or(last).map_or(PAGE_ROWS_DEFAULT, |size| u64::from(size.max(1).unsigned_abs()));
    usize::try_from(size).unwrap_or(usize::MAX)
}

/// The paging arguments of a field, as they came.
#[derive(Clone, Debug, Default)]
pub struct PageArguments {
    /// `first`
    pub first: Option<i32>,
    /// `after`
    pub after: Option<Cursor>,
    /// `last`
    pub last: Option<i32>,
    /// `before`
    pub before: Option<Cursor>,
}

impl PageArguments {
    /// What page they ask for of the list whose cursors are of `kind`.
    ///
    /// # Errors
    /// [`Failed::BadRequest`] for both `first` and `last`, a size out of range, or a cursor that
    /// is not of this list.
    pub fn request<K: PageKey>(&self, kind: CursorKind) -> Result<PageRequest<K>, Failed> {
        let (size, end) = match (self.first, self.last) {
            (Some(_), Some(_)) => {
                return Err(Failed::BadRequest("give first or last, not both".to_owned()));
            }
            (Some(first), None) => (page_size("first", first)?, PageEnd::Start),
            (None, Some(last)) => (page_size("last", last)?, PageEnd::End),
            (None, None) => (PAGE_ROWS_DEFAULT, PageEnd::Start),
        };
        let after = key(kind, "after", self.after.as_ref())?;
        let before = key(kind, "before", self.before.as_ref())?;
        Ok(PageRequest { size, end, after, before })
    }
}

fn page_size(argument: &str, size: i32) -> Result<u64, Failed> {
    u64::try_from(size)
        .ok()
        .filter(|size| *size <= PAGE_ROWS_MAX)
        .ok_or_else(|| Failed::BadRequest(format!("{argument} must be from 0 to {PAGE_ROWS_MAX}")))
}

fn key<K: PageKey>(
    kind: CursorKind,
    argument: &str,
    cursor: Option<&Cursor>,
) -> Result<Option<K>, Failed> {
    let Some(cursor) = cursor else { return Ok(None) };
    let refused = |why: &str| Failed::BadRequest(format!("{argument}: {why}"));
    let position =
        CursorText::decode(kind, &cursor.0).map_err(|error| refused(&error.to_string()))?;
    K::from_bytes(&position).map(Some).ok_or_else(|| refused("not a cursor of this list"))
}

/// Whether the connection that is being resolved was asked for its `totalCount`, so that nobody
/// counts for nothing.
pub fn wants_total_count(context: &Context<'_>) -> bool {
    context.look_ahead().field("totalCount").exists()
}

/// A page of a list, as GraphQL shows it.
pub struct Connection<T> {
    edges: Vec<(Cursor, T)>,
    has_next: bool,
    has_previous: bool,
    total_count: Option<u64>,
}

impl<T: OutputType> Connection<T> {
    /// The page, each item with the key that its cursor holds. `total_count` where it was counted.
    pub fn new<K: PageKey>(kind: CursorKind, page: Page<(K, T)>, total_count: Option<u64>) -> Self {
        let Page { items, has_next, has_previous } = page;
        let edges = items
            .into_iter()
            .map(|(key, node)| (Cursor(CursorText::encode(kind, &key.to_bytes())), node))
            .collect();
        Self { edges, has_next, has_previous, total_count }
    }
}

impl<T: OutputType> TypeName for Connection<T> {
    fn type_name() -> Cow<'static, str> {
        format!("{}Connection", T::type_name()).into()
    }
}

/// A page of a list (the Relay connection).
#[Object(name_type)]
impl<T: OutputType> Connection<T> {
    /// The items with their cursors, in the order of the list.
    async fn edges(&self) -> Vec<Edge<'_, T>> {
        self.edges.iter().map(|(cursor, node)| Edge { cursor, node }).collect()
    }

    /// The items alone, in the order of the list.
    async fn nodes(&self) -> Vec<&T> {
        self.edges.iter().map(|(_, node)| node).collect()
    }

    /// Where this page lies in the list.
    async fn page_info(&self) -> PageInfo {
        PageInfo {
            has_next_page: self.has_next,
            has_previous_page: self.has_previous,
            start_cursor: self.edges.first().map(|(cursor, _)| cursor.clone()),
            end_cursor: self.edges.last().map(|(cursor, _)| cursor.clone()),
        }
    }

    /// How many items the whole list has under the same filter. Counted only when it is selected,
    /// which costs more the longer the list is. Null where it cannot be told: lists of messages are
    /// counted up to 10,000, and beyond that it is null.
    async fn total_count(&self) -> Option<i32> {
        self.total_count.and_then(|count| i32::try_from(count).ok())
    }
}

/// An item and its cursor.
pub struct Edge<'a, T> {
    cursor: &'a Cursor,
    node: &'a T,
}

impl<T: OutputType> TypeName for Edge<'_, T> {
    fn type_name() -> Cow<'static, str> {
        format!("{}Edge", T::type_name()).into()
    }
}

/// An item of a list and its place.
#[Object(name_type)]
impl<T: OutputType> Edge<'_, T> {
    /// The item's place: give it as `after` or `before` to go on from here.
    async fn cursor(&self) -> &Cursor {
        self.cursor
    }

    /// The item.
    async fn node(&self) -> &T {
        self.node
    }
}

/// Where a page lies in its list.
#[derive(SimpleObject)]
pub struct PageInfo {
    /// Whether items follow this page.
    has_next_page: bool,
    /// Whether items come before this page. Paging forward: whether the page began after a cursor.
    has_previous_page: bool,
    /// The cursor of the page's first item; null on an empty page.
    start_cursor: Option<Cursor>,
    /// The cursor of the page's last item; null on an empty page.
    end_cursor: Option<Cursor>,
}

/// [`PageArguments::request`], failing as a resolver does.
///
/// # Errors
/// As there.
pub fn page_request<K: PageKey>(
    kind: CursorKind,
    arguments: &PageArguments,
) -> Answer<PageRequest<K>> {
    Ok(arguments.request(kind)?)
}

#[cfg(test)]
mod tests {
    use entity::ids::SenderId;

    use super::*;

    fn request(arguments: PageArguments) -> Result<PageRequest<SenderId>, Failed> {
        arguments.request(CursorKind::Senders)
    }

    #[test]
    fn sizes_have_a_default_a_limit_and_one_end() {
        let page = request(PageArguments::default()).unwrap();
        assert_eq!((page.size, page.end), (50, PageEnd::Start));
        let page = request(PageArguments { last: Some(100), ..Default::default() }).unwrap();
        assert_eq!((page.size, page.end), (100, PageEnd::End));
        for (first, last) in
            [(Some(101), None), (Some(-1), None), (None, Some(101)), (Some(1), Some(1))]
        {
            let refused = request(PageArguments { first, last, ..Default::default() });
            assert!(matches!(refused, Err(Failed::BadRequest(_))), "{first:?} {last:?}");
        }
    }

    #[test]
    fn a_cursor_of_another_list_is_refused() {
        let id = SenderId(uuid::Uuid::from_u128(7));
        let cursor = |kind| Some(Cursor(CursorText::encode(kind, &id.to_bytes())));
        let mine = PageArguments { after: cursor(CursorKind::Senders), ..Default::default() };
        assert_eq!(request(mine).unwrap().after, Some(id));
        let other = PageArguments { after: cursor(CursorKind::Messages), ..Default::default() };
        assert!(matches!(request(other), Err(Failed::BadRequest(_))));
        let short = CursorText::encode(CursorKind::Senders, &[1]);
        let short = PageArguments { before: Some(Cursor(short)), ..Default::default() };
        assert!(matches!(request(short), Err(Failed::BadRequest(_))));
    }

    #[test]
    fn a_list_costs_its_size() {
        assert_eq!(cost(None, None), 50);
        assert_eq!(cost(Some(10), None), 10);
        assert_eq!(cost(None, Some(7)), 7);
        assert_eq!(cost(Some(0), None), 1);
    }
}
