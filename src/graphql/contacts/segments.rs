//! Segments.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use entity::segment::Model;

use super::{Contact, ContactConditionInput, SegmentCondition};
use crate::contacts::{self, NewSegment, SegmentChange, SegmentRejection};
use crate::graphql::call;
use crate::graphql::connection::{Connection, PageArguments, cost, wants_total_count};
use crate::graphql::errors::{Answer, user_error, value_or_rejection};
use crate::graphql::ids::{parse_id, show_id};
use crate::graphql::scalars::{Cursor, DateTime};
use crate::types::cursor::CursorKind;

/// A segment.
#[derive(Clone, Debug)]
pub struct Segment(pub Model);

/// A condition on contacts under a name: those of whom it holds at the moment are in the segment.
/// Read by the account's owners, admins, developers and support, and by keys with the scope
/// `contacts:manage`.
#[Object]
impl Segment {
    /// The segment's id, `segm_…`.
    pub async fn id(&self) -> ID {
        show_id(self.0.id)
    }

    /// Its name, unique in the account.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Who is in it. Null if it cannot be read.
    async fn condition(&self) -> Answer<Option<SegmentCondition>> {
        Ok(Some(SegmentCondition(contacts::segment_condition(&self.0)?)))
    }

    /// How many contacts are in it now; counting costs more the more contacts the account has. Null
    /// if they cannot be counted.
    #[graphql(complexity = 50)]
    async fn size(&self, context: &Context<'_>) -> Answer<Option<i32>> {
        let size = contacts::segment_contacts_count(call(context)?, &self.0).await?;
        Ok(i32::try_from(size).ok())
    }

    /// Who is in it now, newest first. Null if they cannot be read.
    #[graphql(complexity = "cost(first, last).saturating_mul(child_complexity)")]
    async fn contacts(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How many from the start of the list, 0 to 100. Default 50.")]
        first: Option<i32>,
        #[graphql(desc = "Only those that follow this cursor.")] after: Option<Cursor>,
        #[graphql(desc = "How many from the end of the list, 0 to 100; not with `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Only those that come before this cursor.")] before: Option<Cursor>,
    ) -> Answer<Option<Connection<Contact>>> {
        let ctx = call(context)?;
        let kind = CursorKind::Contacts;
        let request = PageArguments { first, after, last, before }.request(kind)?;
        let page = contacts::segment_contacts(ctx, &self.0, &request).await?;
        let total = if wants_total_count(context) {
            Some(contacts::segment_contacts_count(ctx, &self.0).await?)
        } else {
            None
        };
        Ok(Some(Connection::new(kind, page.map(|row| (row.id, Contact(row))), total)))
    }

    /// Grows by one with every change: drop what is older than what you have.
    async fn version(&self) -> i32 {
        self.0.version
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime {
        self.0.created_at_ms.into()
    }

    /// When it last changed.
    async fn updated_at(&self) -> DateTime {
        self.0.updated_at_ms.into()
    }
}

impl Segment {
    /// One of the caller's account.
    ///
    /// # Errors
    /// The read's own.
    pub async fn load(context: &Context<'_>, id: entity::ids::SegmentId) -> Answer<Option<Self>> {
        let found = contacts::segments_by_ids(call(context)?, &[id]).await?;
        Ok(found.into_iter().next().map(Self))
    }
}

/// Reads.
#[derive(Default)]
pub struct SegmentsQuery;

#[Object]
impl SegmentsQuery {
    /// A segment of the caller's account, or null if there is none with this id. For owners, admins,
    /// developers, support, and keys with the scope `contacts:manage`.
    async fn segment(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The segment's id, `segm_…`.")] id: ID,
    ) -> Answer<Option<Segment>> {
        Segment::load(context, parse_id(&id)?).await
    }

    /// The segments of the caller's account, newest first. For owners, admins, developers, support,
    /// and keys with the scope `contacts:manage`.
    #[graphql(complexity = "cost(first, last).saturating_mul(child_complexity)")]
    async fn segments(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How many from the start of the list, 0 to 100. Default 50.")]
        first: Option<i32>,
        #[graphql(desc = "Only those that follow this cursor.")] after: Option<Cursor>,
        #[graphql(desc = "How many from the end of the list, 0 to 100; not with `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Only those that come before this cursor.")] before: Option<Cursor>,
    ) -> Answer<Connection<Segment>> {
        let ctx = call(context)?;
        let kind = CursorKind::Segments;
        let request = PageArguments { first, after, last, before }.request(kind)?;
        let page = contacts::segments_page(ctx, &request).await?;
        let total = if wants_total_count(context) {
            Some(contacts::segments_count(ctx).await?)
        } else {
            None
        };
        Ok(Connection::new(kind, page.map(|row| (row.id, Segment(row))), total))
    }
}

/// What `createSegment` takes.
#[derive(InputObject, Debug)]
pub struct CreateSegmentInput {
    /// Its name, unique, 1 to 100 characters.
    pub name: String,
    /// Who is in it.
    pub condition: ContactConditionInput,
}

/// What `createSegment` answers.
#[derive(SimpleObject)]
pub struct CreateSegmentPayload {
    /// The new segment; null if it was not made.
    segment: Option<Segment>,
    /// Why not; empty if it was.
    user_errors: Vec<CreateSegmentError>,
}

user_error! {
    /// Why a segment was not made.
    CreateSegmentError,
    /// Why a segment was not made, for a program to read.
    CreateSegmentErrorCode {
        /// The name is empty, longer than 100 characters, or has control characters.
        InvalidName,
        /// There is a segment of this name.
        NameTaken,
        /// There are as many segments as there may be: 1,000.
        TooManySegments,
        /// The condition is too large, names what is not there, or compares with what does not fit;
        /// `message` says which.
        InvalidCondition,
    }
}

/// What `updateSegment` takes. What is absent stays.
#[derive(InputObject, Debug)]
pub struct UpdateSegmentInput {
    /// The segment, `segm_…`.
    pub segment_id: ID,
    /// Another name, unique, 1 to 100 characters.
    pub name: Option<String>,
    /// Another condition.
    pub condition: Option<ContactConditionInput>,
}

/// What `updateSegment` answers.
#[derive(SimpleObject)]
pub struct UpdateSegmentPayload {
    /// The segment as it is now; null if it was not changed.
    segment: Option<Segment>,
    /// Why not; empty if it was.
    user_errors: Vec<UpdateSegmentError>,
}

user_error! {
    /// Why a segment was not changed.
    UpdateSegmentError,
    /// Why a segment was not changed, for a program to read.
    UpdateSegmentErrorCode {
        /// There is no such segment.
        SegmentNotFound,
        /// The name is empty, longer than 100 characters, or has control characters.
        InvalidName,
        /// There is a segment of this name.
        NameTaken,
        /// The condition is too large, names what is not there, or compares with what does not fit;
        /// `message` says which.
        InvalidCondition,
    }
}

/// What `deleteSegment` takes.
#[derive(InputObject, Debug)]
pub struct DeleteSegmentInput {
    /// The segment, `segm_…`.
    pub segment_id: ID,
}

/// What `deleteSegment` answers.
#[derive(SimpleObject)]
pub struct DeleteSegmentPayload {
    /// The id of the segment that is gone; null if none was deleted.
    deleted_segment_id: Option<ID>,
    /// Why not; empty if it was.
    user_errors: Vec<DeleteSegmentError>,
}

user_error! {
    /// Why a segment was not deleted.
    DeleteSegmentError,
    /// Why a segment was not deleted, for a program to read.
    DeleteSegmentErrorCode {
        /// There is no such segment.
        SegmentNotFound,
    }
}

/// Writes.
#[derive(Default)]
pub struct SegmentsMutation;

#[Object]
impl SegmentsMutation {
    /// Saves a condition on contacts under a name. For owners, admins, developers, and keys with the
    /// scope `contacts:manage`. Not idempotent: a second segment of the name answers `NAME_TAKEN`.
    async fn create_segment(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to make.")] input: CreateSegmentInput,
    ) -> Answer<CreateSegmentPayload> {
        let new = NewSegment { name: input.name, condition: input.condition.parse()? };
        let outcome = contacts::create_segment(call(context)?, new).await;
        Ok(match value_or_rejection(outcome)? {
            Ok(row) => {
                CreateSegmentPayload { segment: Some(Segment(row)), user_errors: Vec::new() }
            }
            Err(rejection) => {
                CreateSegmentPayload { segment: None, user_errors: vec![create_error(rejection)] }
            }
        })
    }

    /// Changes a segment. For owners, admins, developers, and keys with the scope
    /// `contacts:manage`. Idempotent, but that the version grows.
    async fn update_segment(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which segment, and what of it.")] input: UpdateSegmentInput,
    ) -> Answer<UpdateSegmentPayload> {
        let id = parse_id(&input.segment_id)?;
        let condition = input.condition.map(ContactConditionInput::parse).transpose()?;
        let change = SegmentChange { name: input.name, condition };
        let outcome = contacts::update_segment(call(context)?, id, change).await;
        Ok(match value_or_rejection(outcome)? {
            Ok(row) => {
                UpdateSegmentPayload { segment: Some(Segment(row)), user_errors: Vec::new() }
            }
            Err(rejection) => {
                UpdateSegmentPayload { segment: None, user_errors: vec![update_error(rejection)] }
            }
        })
    }

    /// Deletes a segment; its contacts stay. For owners, admins, developers, and keys with the scope
    /// `contacts:manage`. Not idempotent: deleting again answers `SEGMENT_NOT_FOUND`.
    async fn delete_segment(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which segment.")] input: DeleteSegmentInput,
    ) -> Answer<DeleteSegmentPayload> {
        let id = parse_id(&input.segment_id)?;
        let outcome = contacts::delete_segment(call(context)?, id).await;
        Ok(match value_or_rejection(outcome)? {
            Ok(()) => DeleteSegmentPayload {
                deleted_segment_id: Some(input.segment_id),
                user_errors: Vec::new(),
            },
            Err(rejection) => {
                let code = DeleteSegmentErrorCode::SegmentNotFound;
                let error = DeleteSegmentError::new(code, &["segmentId"], rejection);
                DeleteSegmentPayload { deleted_segment_id: None, user_errors: vec![error] }
            }
        })
    }
}

fn create_error(rejection: SegmentRejection) -> CreateSegmentError {
    use CreateSegmentErrorCode as Code;
    let (code, path): (_, &[&str]) = match rejection {
        SegmentRejection::InvalidName => (Code::InvalidName, &["name"]),
        // A segment that is being made is not looked for.
        SegmentRejection::NameTaken | SegmentRejection::NotFound => (Code::NameTaken, &["name"]),
        SegmentRejection::TooMany => (Code::TooManySegments, &[]),
        SegmentRejection::Condition(_) => (Code::InvalidCondition, &["condition"]),
    };
    CreateSegmentError::new(code, path, rejection)
}

fn update_error(rejection: SegmentRejection) -> UpdateSegmentError {
    use UpdateSegmentErrorCode as Code;
    let (code, path): (_, &[&str]) = match rejection {
        // A segment more is never made by changing one.
        SegmentRejection::NotFound | SegmentRejection::TooMany => {
            (Code::SegmentNotFound, &["segmentId"])
        }
        SegmentRejection::InvalidName => (Code::InvalidName, &["name"]),
        SegmentRejection::NameTaken => (Code::NameTaken, &["name"]),
        SegmentRejection::Condition(_) => (Code::InvalidCondition, &["condition"]),
    };
    UpdateSegmentError::new(code, path, rejection)
}
