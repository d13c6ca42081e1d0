//! Making, changing and deleting contacts and attributes.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use super::{AttributeKind, AttributeValueInput, Contact, ContactAttribute};
use crate::contacts::{
    self, AttributeValue, ContactChange, CreateAttributeRejection, DeleteAttributeRejection,
    NewAttribute, NewContact, WriteContactRejection,
};
use crate::graphql::call;
use crate::graphql::errors::{Answer, user_error, value_or_rejection};
use crate::graphql::ids::parse_id;

/// What `createContactAttribute` takes.
#[derive(InputObject, Debug)]
pub struct CreateContactAttributeInput {
    /// Its name in contacts and conditions: a lower-case letter followed by lower-case letters,
    /// digits and underscores, at most 50 in all. It never changes.
    pub key: String,
    /// What its values are. It never changes.
    pub kind: AttributeKind,
}

/// What `createContactAttribute` answers.
#[derive(SimpleObject)]
pub struct CreateContactAttributePayload {
    /// The new attribute; null if it was not defined.
    attribute: Option<ContactAttribute>,
    /// Why not; empty if it was.
    user_errors: Vec<CreateContactAttributeError>,
}

user_error! {
    /// Why an attribute was not defined.
    CreateContactAttributeError,
    /// Why an attribute was not defined, for a program to read.
    CreateContactAttributeErrorCode {
        /// The key has other characters, begins otherwise, or is too long.
        InvalidKey,
        /// There is an attribute of this key.
        KeyTaken,
        /// The key is `preferences`, which stands for the preference page in texts.
        KeyReserved,
        /// There are as many attributes as there may be: 100.
        TooManyAttributes,
    }
}

/// What `deleteContactAttribute` takes.
#[derive(InputObject, Debug)]
pub struct DeleteContactAttributeInput {
    /// The attribute, `attr_…`.
    pub attribute_id: ID,
}

/// What `deleteContactAttribute` answers.
#[derive(SimpleObject)]
pub struct DeleteContactAttributePayload {
    /// The id of the attribute that is gone; null if none was deleted.
    deleted_attribute_id: Option<ID>,
    /// Why not; empty if it was.
    user_errors: Vec<DeleteContactAttributeError>,
}

user_error! {
    /// Why an attribute was not deleted.
    DeleteContactAttributeError,
    /// Why an attribute was not deleted, for a program to read.
    DeleteContactAttributeErrorCode {
        /// There is no such attribute.
        AttributeNotFound,
        /// A segment's condition names it.
        AttributeInUse,
    }
}

/// A value for a contact.
#[derive(InputObject, Debug)]
pub struct ContactAttributeInput {
    /// The attribute's key.
    pub key: String,
    /// The value, of the attribute's type; null or absent: there shall be none.
    pub value: Option<AttributeValueInput>,
}

/// What `createContact` takes.
#[derive(InputObject, Debug)]
pub struct CreateContactInput {
    /// The phone number: E.164, or national with the account's default region; a test number too.
    pub number: String,
    /// What is known of the contact, at most 100 values.
    pub attributes: Option<Vec<ContactAttributeInput>>,
    /// Tags, at most 50, each of 1 to 50 characters.
    pub tags: Option<Vec<String>>,
}

/// What `createContact` answers.
#[derive(SimpleObject)]
pub struct CreateContactPayload {
    /// The new contact; null if it was not made.
    contact: Option<Contact>,
    /// Why not; empty if it was.
    user_errors: Vec<CreateContactError>,
}

user_error! {
    /// Why a contact was not made.
    CreateContactError,
    /// Why a contact was not made, for a program to read.
    CreateContactErrorCode {
        /// Not a phone number that exists, or one without its country code.
        InvalidNumber,
        /// The account has a contact with this number.
        NumberTaken,
        /// The account has no attribute of this key.
        UnknownAttribute,
        /// The value is of another type than its attribute, or no text of 1 to 500 characters.
        InvalidValue,
        /// The tag is empty, longer than 50 characters, or has control characters.
        InvalidTag,
        /// There are more than 50 tags.
        TooManyTags,
    }
}

/// What `updateContact` takes. What is absent stays.
#[derive(InputObject, Debug)]
pub struct UpdateContactInput {
    /// The contact, `cont_…`.
    pub contact_id: ID,
    /// Another phone number.
    pub number: Option<String>,
    /// Values that change, at most 100; others stay, null clears.
    pub attributes: Option<Vec<ContactAttributeInput>>,
    /// All tags that the contact shall have, at most 50.
    pub tags: Option<Vec<String>>,
}

/// What `updateContact` answers.
#[derive(SimpleObject)]
pub struct UpdateContactPayload {
    /// The contact as it is now; null if it was not changed.
    contact: Option<Contact>,
    /// Why not; empty if it was.
    user_errors: Vec<UpdateContactError>,
}

user_error! {
    /// Why a contact was not changed.
    UpdateContactError,
    /// Why a contact was not changed, for a program to read.
    UpdateContactErrorCode {
        /// There is no such contact.
        ContactNotFound,
        /// Not a phone number that exists, or one without its country code.
        InvalidNumber,
        /// Another contact of the account has this number.
        NumberTaken,
        /// The account has no attribute of this key.
        UnknownAttribute,
        /// The value is of another type than its attribute, or no text of 1 to 500 characters.
        InvalidValue,
        /// The tag is empty, longer than 50 characters, or has control characters.
        InvalidTag,
        /// There are more than 50 tags.
        TooManyTags,
    }
}

/// What `deleteContact` takes.
#[derive(InputObject, Debug)]
pub struct DeleteContactInput {
    /// The contact, `cont_…`.
    pub contact_id: ID,
}

/// What `deleteContact` answers.
#[derive(SimpleObject)]
pub struct DeleteContactPayload {
    /// The id of the contact that is gone; null if none was deleted.
    deleted_contact_id: Option<ID>,
    /// Why not; empty if it was.
    user_errors: Vec<DeleteContactError>,
}

user_error! {
    /// Why a contact was not deleted.
    DeleteContactError,
    /// Why a contact was not deleted, for a program to read.
    DeleteContactErrorCode {
        /// There is no such contact.
        ContactNotFound,
    }
}

/// Writes.
#[derive(Default)]
pub struct ContactsMutation;

#[Object]
impl ContactsMutation {
    /// Defines what the account keeps of its contacts. For owners, admins, developers, and keys with
    /// the scope `contacts:manage`. Not idempotent: a second attribute of the key answers
    /// `KEY_TAKEN`.
    async fn create_contact_attribute(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to define.")] input: CreateContactAttributeInput,
    ) -> Answer<CreateContactAttributePayload> {
        use CreateContactAttributeErrorCode as Code;
        let new = NewAttribute { key: input.key, kind: input.kind.into() };
        let outcome = contacts::create_attribute(call(context)?, new).await;
        Ok(match value_or_rejection(outcome)? {
            Ok(row) => CreateContactAttributePayload {
                attribute: Some(ContactAttribute(row)),
                user_errors: Vec::new(),
            },
            Err(rejection) => {
                let (code, path): (_, &[&str]) = match rejection {
                    CreateAttributeRejection::InvalidKey => (Code::InvalidKey, &["key"]),
                    CreateAttributeRejection::KeyTaken => (Code::KeyTaken, &["key"]),
                    CreateAttributeRejection::KeyReserved => (Code::KeyReserved, &["key"]),
                    CreateAttributeRejection::TooMany => (Code::TooManyAttributes, &[]),
                };
                let error = CreateContactAttributeError::new(code, path, rejection);
                CreateContactAttributePayload { attribute: None, user_errors: vec![error] }
            }
        })
    }

    /// Deletes an attribute with all its values. For owners, admins, developers, and keys with the
    /// scope `contacts:manage`. Not idempotent: deleting again answers `ATTRIBUTE_NOT_FOUND`.
    async fn delete_contact_attribute(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which attribute.")] input: DeleteContactAttributeInput,
    ) -> Answer<DeleteContactAttributePayload> {
        use DeleteContactAttributeErrorCode as Code;
        let id = parse_id(&input.attribute_id)?;
        let outcome = contacts::delete_attribute(call(context)?, id).await;
        Ok(match value_or_rejection(outcome)? {
            Ok(()) => DeleteContactAttributePayload {
                deleted_attribute_id: Some(input.attribute_id),
                user_errors: Vec::new(),
            },
            Err(rejection) => {
                let code = match rejection {
                    DeleteAttributeRejection::NotFound => Code::AttributeNotFound,
                    DeleteAttributeRejection::InUse => Code::AttributeInUse,
                };
                let error = DeleteContactAttributeError::new(code, &["attributeId"], rejection);
                DeleteContactAttributePayload {
                    deleted_attribute_id: None,
                    user_errors: vec![error],
                }
            }
        })
    }

    /// Makes a contact. For owners, admins, developers, and keys with the scope `contacts:manage`.
    /// Not idempotent: a second contact with the number answers `NUMBER_TAKEN`.
    async fn create_contact(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to make.")] input: CreateContactInput,
    ) -> Answer<CreateContactPayload> {
        let new = NewContact {
            number: input.number,
            attributes: values(input.attributes),
            tags: input.tags.unwrap_or_default(),
        };
        let outcome = contacts::create(call(context)?, new).await;
        Ok(match value_or_rejection(outcome)? {
            Ok(row) => {
                CreateContactPayload { contact: Some(Contact(row)), user_errors: Vec::new() }
            }
            Err(rejection) => {
                CreateContactPayload { contact: None, user_errors: vec![create_error(&rejection)] }
            }
        })
    }

    /// Changes a contact. For owners, admins, developers, and keys with the scope
    /// `contacts:manage`. Idempotent, but that the version grows.
    async fn update_contact(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which contact, and what of it.")] input: UpdateContactInput,
    ) -> Answer<UpdateContactPayload> {
        let id = parse_id(&input.contact_id)?;
        let change = ContactChange {
            number: input.number,
            attributes: values(input.attributes),
            tags: input.tags,
        };
        let outcome = contacts::update(call(context)?, id, change).await;
        Ok(match value_or_rejection(outcome)? {
            Ok(row) => {
                UpdateContactPayload { contact: Some(Contact(row)), user_errors: Vec::new() }
            }
            Err(rejection) => {
                UpdateContactPayload { contact: None, user_errors: vec![update_error(&rejection)] }
            }
        })
    }

    /// Deletes a contact with its values, its tags and its places on lists. What the person consented
    /// or objected to is kept, and the number stays suppressed. For owners, admins, developers, and
    /// keys with the scope `contacts:manage`. Not idempotent: deleting again answers
    /// `CONTACT_NOT_FOUND`.
    async fn delete_contact(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which contact.")] input: DeleteContactInput,
    ) -> Answer<DeleteContactPayload> {
        let outcome = contacts::delete(call(context)?, parse_id(&input.contact_id)?).await;
        Ok(match value_or_rejection(outcome)? {
            Ok(()) => DeleteContactPayload {
                deleted_contact_id: Some(input.contact_id),
                user_errors: Vec::new(),
            },
            Err(rejection) => {
                let code = DeleteContactErrorCode::ContactNotFound;
                let error = DeleteContactError::new(code, &["contactId"], rejection);
                DeleteContactPayload { deleted_contact_id: None, user_errors: vec![error] }
            }
        })
    }
}

fn values(input: Option<Vec<ContactAttributeInput>>) -> Vec<(String, Option<AttributeValue>)> {
    let values = input.unwrap_or_default().into_iter();
    values.map(|it| (it.key, it.value.map(Into::into))).collect()
}

fn create_error(rejection: &WriteContactRejection) -> CreateContactError {
    use CreateContactErrorCode as Code;
    let code = match rejection {
        WriteContactRejection::InvalidNumber => Code::InvalidNumber,
        // A contact that is being made is not looked for.
        WriteContactRejection::NumberTaken | WriteContactRejection::NotFound => Code::NumberTaken,
        WriteContactRejection::UnknownAttribute(_) => Code::UnknownAttribute,
        WriteContactRejection::InvalidValue(_) => Code::InvalidValue,
        WriteContactRejection::InvalidTag(_) => Code::InvalidTag,
        WriteContactRejection::TooManyTags => Code::TooManyTags,
    };
    let path = path(rejection);
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    CreateContactError::new(code, &path, rejection)
}

fn update_error(rejection: &WriteContactRejection) -> UpdateContactError {
    use UpdateContactErrorCode as Code;
    let code = match rejection {
        WriteContactRejection::NotFound => Code::ContactNotFound,
        WriteContactRejection::InvalidNumber => Code::InvalidNumber,
        WriteContactRejection::NumberTaken => Code::NumberTaken,
        WriteContactRejection::UnknownAttribute(_) => Code::UnknownAttribute,
        WriteContactRejection::InvalidValue(_) => Code::InvalidValue,
        WriteContactRejection::InvalidTag(_) => Code::InvalidTag,
        WriteContactRejection::TooManyTags => Code::TooManyTags,
    };
    let path = path(rejection);
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    UpdateContactError::new(code, &path, rejection)
}

fn path(rejection: &WriteContactRejection) -> Vec<String> {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    match rejection {
        WriteContactRejection::NotFound => names(&["contactId"]),
        WriteContactRejection::InvalidNumber | WriteContactRejection::NumberTaken => {
            names(&["number"])
        }
        WriteContactRejection::UnknownAttribute(place) => {
            names(&["attributes", &place.to_string(), "key"])
        }
        WriteContactRejection::InvalidValue(place) => {
            names(&["attributes", &place.to_string(), "value"])
        }
        WriteContactRejection::InvalidTag(place) => names(&["tags", &place.to_string()]),
        WriteContactRejection::TooManyTags => names(&["tags"]),
    }
}
