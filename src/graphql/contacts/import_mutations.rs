//! Beginning and canceling imports.

use async_graphql::{Context, Enum, ID, InputObject, Object, OneofObject, SimpleObject};

use super::ContactImport;
use crate::contacts::imports::{
    self, BegunImport, CancelImportRejection, ColumnRef, ColumnTarget, ImportColumn, ImportOptions,
    ImportRejection,
};
use crate::graphql::call;
use crate::graphql::errors::{Answer, user_error, value_or_rejection};
use crate::graphql::ids::parse_id;

/// Which column of a file.
#[derive(OneofObject, Debug)]
pub enum ImportColumnRef {
    /// The one with this header, at most 200 characters; case and blanks around it do not matter.
    Header(String),
    /// The one at this place, from 0 to 999.
    Position(i32),
}

/// What a column holds.
#[derive(OneofObject, Debug)]
pub enum ImportColumnTarget {
    /// `true`: phone numbers, in E.164 or national with the default region.
    Number(bool),
    /// `true`: tags, separated by semicolons, commas or vertical bars.
    Tags(bool),
    /// Values of the attribute with this key. A number is written like `-12.5`, a truth value as
    /// `true`, `yes`, `y` or `1` and `false`, `no`, `n` or `0`, a day like `2026-11-22`.
    AttributeKey(String),
}

/// A column of a file, and what it holds.
#[derive(InputObject, Debug)]
pub struct ImportColumnInput {
    /// Which column.
    pub column: ImportColumnRef,
    /// What it holds.
    pub target: ImportColumnTarget,
}

/// What becomes of contacts that the account has.
#[derive(Enum, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[graphql(remote = "imports::OnDuplicate")]
pub enum OnDuplicate {
    /// They get the values and tags of the file beside those that they have; empty fields change
    /// nothing. Of two rows of one number the later one counts.
    #[default]
    Update,
    /// They keep what they have, and are put on the lists. Of two rows of one number the first counts.
    Keep,
}

/// What octets beyond ASCII mean, in a file that is not UTF-16.
#[derive(Enum, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[graphql(remote = "imports::FileEncoding")]
pub enum FileEncoding {
    /// A field is UTF-8 if it can be, else Windows-1252.
    #[default]
    Detected,
    /// A field that is not UTF-8 has a fault.
    #[graphql(name = "UTF_8")]
    Utf8,
    /// All fields are Windows-1252.
    #[graphql(name = "WINDOWS_1252")]
    Windows1252,
}

/// What `importContacts` takes.
#[derive(InputObject, Debug)]
pub struct ImportContactsInput {
    /// 1 to 100 characters of the client's: the same key and input give the same import.
    pub idempotency_key: Option<String>,
    /// Which column is what, at most 102, the one of the numbers among them; others are passed over.
    /// Absent, null or empty: by the headers. `number`, `phone`, `mobile`, `msisdn` and the like are
    /// numbers, `tags` are tags, and keys of attributes are their values.
    pub columns: Option<Vec<ImportColumnInput>>,
    /// Whether the first row holds headers.
    #[graphql(default = true)]
    pub has_header: bool,
    /// What octets beyond ASCII mean.
    #[graphql(default)]
    pub encoding: FileEncoding,
    /// The region of national numbers, two letters (ISO 3166-1); absent or null: the account's.
    pub default_region: Option<String>,
    /// Lists that all contacts of the file are put on, `list_…`, at most 10.
    pub list_ids: Option<Vec<ID>>,
    /// Tags that all contacts of the file get, at most 50, each of 1 to 50 characters.
    pub tags: Option<Vec<String>>,
    /// What becomes of contacts that the account has.
    #[graphql(default)]
    pub on_duplicate: OnDuplicate,
}

/// What `importContacts` answers.
#[derive(SimpleObject)]
pub struct ImportContactsPayload {
    /// The import, which waits for its file; null if none was begun.
    import: Option<ContactImport>,
    /// Whether this is the answer to an earlier call with the same key.
    replayed: bool,
    /// Why not; empty if one was.
    user_errors: Vec<ImportContactsError>,
}

user_error! {
    /// Why no import was begun.
    ImportContactsError,
    /// Why no import was begun, for a program to read.
    ImportContactsErrorCode {
        /// The key is empty, or longer than 100 characters.
        InvalidIdempotencyKey,
        /// The key was used with another input.
        IdempotencyKeyReused,
        /// There are more than 102 columns, none is of numbers, a header is named where there are
        /// none, a place is beyond 999, or a target is `false`.
        InvalidColumns,
        /// The account has no attribute of this key.
        UnknownAttribute,
        /// There is no such list.
        ListNotFound,
        /// There are more than 10 lists.
        TooManyLists,
        /// The tag is empty, longer than 50 characters, or has control characters.
        InvalidTag,
        /// There are more than 50 tags.
        TooManyTags,
        /// Not a region.
        InvalidRegion,
        /// Ten imports of the account are open.
        TooManyImports,
    }
}

/// What `cancelContactImport` takes.
#[derive(InputObject, Debug)]
pub struct CancelContactImportInput {
    /// The import, `cimp_…`.
    pub import_id: ID,
}

/// What `cancelContactImport` answers.
#[derive(SimpleObject)]
pub struct CancelContactImportPayload {
    /// The import as it is now; null if it was not canceled.
    import: Option<ContactImport>,
    /// Why not; empty if it was.
    user_errors: Vec<CancelContactImportError>,
}

user_error! {
    /// Why an import was not canceled.
    CancelContactImportError,
    /// Why an import was not canceled, for a program to read.
    CancelContactImportErrorCode {
        /// There is no such import.
        ImportNotFound,
        /// It has ended.
        TooLate,
    }
}

/// Writes.
#[derive(Default)]
pub struct ImportsMutation;

#[Object]
impl ImportsMutation {
    /// Begins an import of contacts from a CSV file, which is then uploaded to `uploadUrl`. Rows with
    /// faults are left out and told by line; all others become contacts, or change those of their
    /// numbers. Suppressions stay, whatever a file says. For owners, admins, developers, and keys with
    /// the scope `contacts:manage`. Idempotent by the key, if there is one.
    async fn import_contacts(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How the file is to be read, and where its contacts go.")]
        input: ImportContactsInput,
    ) -> Answer<ImportContactsPayload> {
        let lists = input.list_ids.unwrap_or_default();
        let list_ids = lists.iter().map(parse_id).collect::<Result<_, _>>()?;
        let Some(columns) = columns(input.columns.unwrap_or_default()) else {
            return Ok(refused(ImportRejection::InvalidColumns));
        };
        let options = ImportOptions {
            columns,
            has_header: input.has_header,
            encoding: input.encoding.into(),
            default_region: input.default_region,
            list_ids,
            tags: input.tags.unwrap_or_default(),
            on_duplicate: input.on_duplicate.into(),
        };
        let begun = imports::begin_import(call(context)?, input.idempotency_key, options).await;
        Ok(match value_or_rejection(begun)? {
            Ok(BegunImport { import, replayed }) => ImportContactsPayload {
                import: Some(ContactImport(import)),
                replayed,
                user_errors: Vec::new(),
            },
            Err(rejection) => refused(rejection),
        })
    }

    /// Ends an import. What was imported stays; what is left of its file is deleted. For owners,
    /// admins, developers, and keys with the scope `contacts:manage`. Not idempotent: canceling again
    /// answers `TOO_LATE`.
    async fn cancel_contact_import(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which import.")] input: CancelContactImportInput,
    ) -> Answer<CancelContactImportPayload> {
        use CancelContactImportErrorCode as Code;
        let outcome = imports::cancel_import(call(context)?, parse_id(&input.import_id)?).await;
        Ok(match value_or_rejection(outcome)? {
            Ok(import) => CancelContactImportPayload {
                import: Some(ContactImport(import)),
                user_errors: Vec::new(),
            },
            Err(rejection) => {
                let code = match rejection {
                    CancelImportRejection::NotFound => Code::ImportNotFound,
                    CancelImportRejection::TooLate => Code::TooLate,
                };
                let error = CancelContactImportError::new(code, &["importId"], rejection);
                CancelContactImportPayload { import: None, user_errors: vec![error] }
            }
        })
    }
}

/// None for what cannot be meant: a place before the first, a target that is not.
fn columns(input: Vec<ImportColumnInput>) -> Option<Vec<ImportColumn>> {
    let column = |it: ImportColumnInput| {
        let column = match it.column {
            ImportColumnRef::Header(header) => ColumnRef::Header(header),
            ImportColumnRef::Position(place) => ColumnRef::Position(usize::try_from(place).ok()?),
        };
        let target = match it.target {
            ImportColumnTarget::Number(true) => ColumnTarget::Number,
            ImportColumnTarget::Tags(true) => ColumnTarget::Tags,
            ImportColumnTarget::Number(false) | ImportColumnTarget::Tags(false) => return None,
            ImportColumnTarget::AttributeKey(key) => ColumnTarget::Attribute(key),
        };
        Some(ImportColumn { column, target })
    };
    input.into_iter().map(column).collect()
}

fn refused(rejection: ImportRejection) -> ImportContactsPayload {
    use ImportContactsErrorCode as Code;
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let (code, path) = match rejection {
        ImportRejection::InvalidKey => (Code::InvalidIdempotencyKey, names(&["idempotencyKey"])),
        ImportRejection::KeyReused => (Code::IdempotencyKeyReused, names(&["idempotencyKey"])),
        ImportRejection::InvalidColumns => (Code::InvalidColumns, names(&["columns"])),
        ImportRejection::UnknownAttribute(place) => {
            let path = names(&["columns", &place.to_string(), "target", "attributeKey"]);
            (Code::UnknownAttribute, path)
        }
        ImportRejection::ListNotFound(place) => {
            (Code::ListNotFound, names(&["listIds", &place.to_string()]))
        }
        ImportRejection::TooManyLists => (Code::TooManyLists, names(&["listIds"])),
        ImportRejection::InvalidTag(place) => {
            (Code::InvalidTag, names(&["tags", &place.to_string()]))
        }
        ImportRejection::TooManyTags => (Code::TooManyTags, names(&["tags"])),
        ImportRejection::InvalidRegion => (Code::InvalidRegion, names(&["defaultRegion"])),
        ImportRejection::TooManyOpen => (Code::TooManyImports, Vec::new()),
    };
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let error = ImportContactsError::new(code, &path, rejection);
    ImportContactsPayload { import: None, replayed: false, user_errors: vec![error] }
}
