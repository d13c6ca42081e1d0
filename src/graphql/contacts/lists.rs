//! Lists of contacts.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use entity::contact_list::Model;
use entity::ids::ContactId;

use super::ListRow;
use crate::contacts::{self, ListMembersRejection, ListRejection, MembersChange};
use crate::error::Error;
use crate::graphql::call;
use crate::graphql::connection::{Connection, PageArguments, cost, wants_total_count};
use crate::graphql::errors::{Answer, user_error, value_or_rejection};
use crate::graphql::ids::{parse_id, show_id};
use crate::graphql::loaders::load;
use crate::graphql::scalars::{Cursor, DateTime};
use crate::types::cursor::CursorKind;

/// A list.
#[derive(Clone, Debug)]
pub struct ContactList(pub Model);

/// A list of contacts, which people and programs put contacts on. Read by the account's owners,
/// admins, developers and support, and by keys with the scope `contacts:manage`.
#[Object]
impl ContactList {
    /// The list's id, `list_…`.
    pub async fn id(&self) -> ID {
        show_id(self.0.id)
    }

    /// Its name, unique in the account.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// How many contacts are on it; counting costs more the more they are. Null if they cannot be
    /// counted. Who they are: `contacts(filter: {listId})`.
    #[graphql(complexity = 20)]
    async fn size(&self, context: &Context<'_>) -> Answer<Option<i32>> {
        let size = contacts::list_size(call(context)?, self.0.id).await?;
        Ok(i32::try_from(size).ok())
    }

    /// Grows by one with every change of the list itself: drop what is older than what you have.
    async fn version(&self) -> i32 {
        self.0.version
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime {
        self.0.created_at_ms.into()
    }

    /// When it was last renamed.
    async fn updated_at(&self) -> DateTime {
        self.0.updated_at_ms.into()
    }
}

/// Reads.
#[derive(Default)]
pub struct ListsQuery;

#[Object]
impl ListsQuery {
    /// A list of the caller's account, or null if there is none with this id. For owners, admins,
    /// developers, support, and keys with the scope `contacts:manage`.
    async fn list(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The list's id, `list_…`.")] id: ID,
    ) -> Answer<Option<ContactList>> {
        Ok(load(context, ListRow(parse_id(&id)?)).await?.map(ContactList))
    }

    /// The lists of the caller's account, newest first. For owners, admins, developers, support, and
    /// keys with the scope `contacts:manage`.
    #[graphql(complexity = "cost(first, last).saturating_mul(child_complexity)")]
    async fn lists(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How many from the start of the list, 0 to 100. Default 50.")]
        first: Option<i32>,
        #[graphql(desc = "Only those that follow this cursor.")] after: Option<Cursor>,
        #[graphql(desc = "How many from the end of the list, 0 to 100; not with `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Only those that come before this cursor.")] before: Option<Cursor>,
    ) -> Answer<Connection<ContactList>> {
        let ctx = call(context)?;
        let kind = CursorKind::ContactLists;
        let request = PageArguments { first, after, last, before }.request(kind)?;
        let page = contacts::lists_page(ctx, &request).await?;
        let total =
            if wants_total_count(context) { Some(contacts::lists_count(ctx).await?) } else { None };
        Ok(Connection::new(kind, page.map(|row| (row.id, ContactList(row))), total))
    }
}

/// What `createList` takes.
#[derive(InputObject, Debug)]
pub struct CreateListInput {
    /// Its name, unique, 1 to 100 characters.
    pub name: String,
}

/// What `createList` answers.
#[derive(SimpleObject)]
pub struct CreateListPayload {
    /// The new list; null if it was not made.
    list: Option<ContactList>,
    /// Why not; empty if it was.
    user_errors: Vec<CreateListError>,
}

user_error! {
    /// Why a list was not made.
    CreateListError,
    /// Why a list was not made, for a program to read.
    CreateListErrorCode {
        /// The name is empty, longer than 100 characters, or has control characters.
        InvalidName,
        /// There is a list of this name.
        NameTaken,
        /// There are as many lists as there may be: 1,000.
        TooManyLists,
    }
}

/// What `updateList` takes.
#[derive(InputObject, Debug)]
pub struct UpdateListInput {
    /// The list, `list_…`.
    pub list_id: ID,
    /// Another name, unique, 1 to 100 characters.
    pub name: String,
}

/// What `updateList` answers.
#[derive(SimpleObject)]
pub struct UpdateListPayload {
    /// The list as it is now; null if it was not changed.
    list: Option<ContactList>,
    /// Why not; empty if it was.
    user_errors: Vec<UpdateListError>,
}

user_error! {
    /// Why a list was not changed.
    UpdateListError,
    /// Why a list was not changed, for a program to read.
    UpdateListErrorCode {
        /// There is no such list.
        ListNotFound,
        /// The name is empty, longer than 100 characters, or has control characters.
        InvalidName,
        /// There is a list of this name.
        NameTaken,
    }
}

/// What `deleteList` takes.
#[derive(InputObject, Debug)]
pub struct DeleteListInput {
    /// The list, `list_…`.
    pub list_id: ID,
}

/// What `deleteList` answers.
#[derive(SimpleObject)]
pub struct DeleteListPayload {
    /// The id of the list that is gone; null if none was deleted.
    deleted_list_id: Option<ID>,
    /// Why not; empty if it was.
    user_errors: Vec<DeleteListError>,
}

user_error! {
    /// Why a list was not deleted.
    DeleteListError,
    /// Why a list was not deleted, for a program to read.
    DeleteListErrorCode {
        /// There is no such list.
        ListNotFound,
    }
}

/// What `addToList` takes.
#[derive(InputObject, Debug)]
pub struct AddToListInput {
    /// The list, `list_…`.
    pub list_id: ID,
    /// Whom to put on it, `cont_…`: 1 to 1,000.
    pub contact_ids: Vec<ID>,
}

/// What `addToList` answers.
#[derive(SimpleObject)]
pub struct AddToListPayload {
    /// The list; null if the call was refused.
    list: Option<ContactList>,
    /// How many were put on it; the others were there already, or are unknown.
    added_count: i32,
    /// Which of the given ids the account has no contact of, in the order given, at most 1,000.
    unknown_contacts: Vec<String>,
    /// Why the whole call was refused; then nobody was put on the list. Empty otherwise.
    user_errors: Vec<AddToListError>,
}

user_error! {
    /// Why nobody was put on a list.
    AddToListError,
    /// Why nobody was put on a list, for a program to read.
    AddToListErrorCode {
        /// There is no such list.
        ListNotFound,
        /// No contact is named.
        NoContacts,
        /// More than 1,000 contacts are named.
        TooManyContacts,
    }
}

/// What `removeFromList` takes.
#[derive(InputObject, Debug)]
pub struct RemoveFromListInput {
    /// The list, `list_…`.
    pub list_id: ID,
    /// Whom to take off it, `cont_…`: 1 to 1,000.
    pub contact_ids: Vec<ID>,
}

/// What `removeFromList` answers.
#[derive(SimpleObject)]
pub struct RemoveFromListPayload {
    /// The list; null if the call was refused.
    list: Option<ContactList>,
    /// How many were taken off it; the others were not on it, or are unknown.
    removed_count: i32,
    /// Which of the given ids the account has no contact of, in the order given, at most 1,000.
    unknown_contacts: Vec<String>,
    /// Why the whole call was refused; then nobody was taken off the list. Empty otherwise.
    user_errors: Vec<RemoveFromListError>,
}

user_error! {
    /// Why nobody was taken off a list.
    RemoveFromListError,
    /// Why nobody was taken off a list, for a program to read.
    RemoveFromListErrorCode {
        /// There is no such list.
        ListNotFound,
        /// No contact is named.
        NoContacts,
        /// More than 1,000 contacts are named.
        TooManyContacts,
    }
}

/// Writes.
#[derive(Default)]
pub struct ListsMutation;

#[Object]
impl ListsMutation {
    /// Makes a list. For owners, admins, developers, and keys with the scope `contacts:manage`. Not
    /// idempotent: a second list of the name answers `NAME_TAKEN`.
    async fn create_list(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to make.")] input: CreateListInput,
    ) -> Answer<CreateListPayload> {
        use CreateListErrorCode as Code;
        let outcome = contacts::create_list(call(context)?, &input.name).await;
        Ok(match value_or_rejection(outcome)? {
            Ok(row) => CreateListPayload { list: Some(ContactList(row)), user_errors: Vec::new() },
            Err(rejection) => {
                let (code, path): (_, &[&str]) = match rejection {
                    ListRejection::InvalidName => (Code::InvalidName, &["name"]),
                    // A list that is being made is not looked for.
                    ListRejection::NameTaken | ListRejection::NotFound => {
                        (Code::NameTaken, &["name"])
                    }
                    ListRejection::TooMany => (Code::TooManyLists, &[]),
                };
                let error = CreateListError::new(code, path, rejection);
                CreateListPayload { list: None, user_errors: vec![error] }
            }
        })
    }

    /// Renames a list. For owners, admins, developers, and keys with the scope `contacts:manage`.
    /// Idempotent, but that the version grows.
    async fn update_list(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which list, and its name.")] input: UpdateListInput,
    ) -> Answer<UpdateListPayload> {
        use UpdateListErrorCode as Code;
        let id = parse_id(&input.list_id)?;
        let outcome = contacts::rename_list(call(context)?, id, &input.name).await;
        Ok(match value_or_rejection(outcome)? {
            Ok(row) => UpdateListPayload { list: Some(ContactList(row)), user_errors: Vec::new() },
            Err(rejection) => {
                let (code, path): (_, &[&str]) = match rejection {
                    ListRejection::InvalidName => (Code::InvalidName, &["name"]),
                    ListRejection::NameTaken => (Code::NameTaken, &["name"]),
                    // A list more is never made by renaming one.
                    ListRejection::NotFound | ListRejection::TooMany => {
                        (Code::ListNotFound, &["listId"])
                    }
                };
                let error = UpdateListError::new(code, path, rejection);
                UpdateListPayload { list: None, user_errors: vec![error] }
            }
        })
    }

    /// Deletes a list; its contacts stay. For owners, admins, developers, and keys with the scope
    /// `contacts:manage`. Not idempotent: deleting again answers `LIST_NOT_FOUND`.
    async fn delete_list(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which list.")] input: DeleteListInput,
    ) -> Answer<DeleteListPayload> {
        let outcome = contacts::delete_list(call(context)?, parse_id(&input.list_id)?).await;
        Ok(match value_or_rejection(outcome)? {
            Ok(()) => {
                DeleteListPayload { deleted_list_id: Some(input.list_id), user_errors: Vec::new() }
            }
            Err(rejection) => {
                let code = DeleteListErrorCode::ListNotFound;
                let error = DeleteListError::new(code, &["listId"], rejection);
                DeleteListPayload { deleted_list_id: None, user_errors: vec![error] }
            }
        })
    }

    /// Puts contacts on a list. For owners, admins, developers, and keys with the scope
    /// `contacts:manage`. Idempotent: who is on it already stays.
    async fn add_to_list(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which list, and whom.")] input: AddToListInput,
    ) -> Answer<AddToListPayload> {
        use AddToListErrorCode as Code;
        let (list_id, contacts) = (parse_id(&input.list_id)?, ids(&input.contact_ids)?);
        let outcome = contacts::add_to_list(call(context)?, list_id, &contacts).await;
        Ok(match changed(outcome)? {
            Ok((list, added_count, unknown_contacts)) => AddToListPayload {
                list: Some(list),
                added_count,
                unknown_contacts,
                user_errors: Vec::new(),
            },
            Err(rejection) => {
                let (code, path) = match rejection {
                    ListMembersRejection::NotFound => (Code::ListNotFound, "listId"),
                    ListMembersRejection::Empty => (Code::NoContacts, "contactIds"),
                    ListMembersRejection::TooMany => (Code::TooManyContacts, "contactIds"),
                };
                let error = AddToListError::new(code, &[path], rejection);
                AddToListPayload {
                    list: None,
                    added_count: 0,
                    unknown_contacts: Vec::new(),
                    user_errors: vec![error],
                }
            }
        })
    }

    /// Takes contacts off a list. For owners, admins, developers, and keys with the scope
    /// `contacts:manage`. Idempotent: who is not on it is passed over.
    async fn remove_from_list(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which list, and whom.")] input: RemoveFromListInput,
    ) -> Answer<RemoveFromListPayload> {
        use RemoveFromListErrorCode as Code;
        let (list_id, contacts) = (parse_id(&input.list_id)?, ids(&input.contact_ids)?);
        let outcome = contacts::remove_from_list(call(context)?, list_id, &contacts).await;
        Ok(match changed(outcome)? {
            Ok((list, removed_count, unknown_contacts)) => RemoveFromListPayload {
                list: Some(list),
                removed_count,
                unknown_contacts,
                user_errors: Vec::new(),
            },
            Err(rejection) => {
                let (code, path) = match rejection {
                    ListMembersRejection::NotFound => (Code::ListNotFound, "listId"),
                    ListMembersRejection::Empty => (Code::NoContacts, "contactIds"),
                    ListMembersRejection::TooMany => (Code::TooManyContacts, "contactIds"),
                };
                let error = RemoveFromListError::new(code, &[path], rejection);
                RemoveFromListPayload {
                    list: None,
                    removed_count: 0,
                    unknown_contacts: Vec::new(),
                    user_errors: vec![error],
                }
            }
        })
    }
}

fn ids(ids: &[ID]) -> Answer<Vec<ContactId>> {
    // One more than may be given says that there are too many, whatever they are.
    ids.iter().take(contacts::LISTED_MAX + 1).map(parse_id).collect()
}

type Changed = Result<(ContactList, i32, Vec<String>), ListMembersRejection>;

fn changed(outcome: Result<MembersChange, Error<ListMembersRejection>>) -> Answer<Changed> {
    Ok(value_or_rejection(outcome)?.map(|change| {
        let unknown = change.unknown.iter().map(ToString::to_string).collect();
        (ContactList(change.list), i32::try_from(change.changed).unwrap_or(i32::MAX), unknown)
    }))
}
