//! Contacts: whom an account writes to, what it knows of them, and what they consented to.
//!
//! Invariants:
//! - A number is one contact of an account.
//! - A value has the type that its attribute was defined with, and attributes never change theirs.
//! - Consent is a log that the store itself refuses to change (`consent`). A suppression is known by
//!   a keyed hash of the number, so it outlives the contact.
//! - Whoever suppresses also stops what waits to be sent, in one transaction: `messages::opt_out`
//!   does both. Nothing here knows messages but by what conditions ask of them.
//!
//! `commands` and `queries` (contacts), `attributes`, `lists`, `condition` and `segments` (saved
//! conditions), `audience` (lists and segments together), `consent` (the log, and suppressions), `keywords` (in messages from phones).

mod attributes;
mod audience;
mod commands;
mod condition;
pub mod consent;
mod csv_text;
pub mod exports;
mod file_links;
pub mod imports;
pub mod keywords;
mod lists;
mod model;
pub mod preference_links;
mod queries;
mod segments;
mod store;
mod time_zones;

pub use attributes::{
    CreateAttributeRejection, DeleteAttributeRejection, NewAttribute, attributes,
    attributes_by_ids, create_attribute, delete_attribute,
};
pub use audience::{
    Audience, AudienceFault, EXCEPT_MAX, Person, WITHIN_MAX, audience_condition, has_attributes,
    is_reachable, members, people,
};
pub use commands::{
    ContactChange, DeleteContactRejection, NewContact, WriteContactRejection, create, delete,
    update,
};
pub use condition::{AttributeTest, Condition, ConditionFault};
pub use consent::ScopeRef;
pub use lists::{
    LISTED_MAX, ListMembersRejection, ListRejection, MembersChange, add_to_list, create_list,
    delete_list, list_size, lists_by_ids, lists_count, lists_of_contacts, lists_page,
    purge_deleted, remove_from_list, rename_list,
};
pub use model::{AttributeValue, Topic};
pub use queries::{
    ContactFilter, by_ids, by_macs, by_numbers, contacts_count, contacts_page, tags_of, values_of,
};
pub use segments::{
    NewSegment, SegmentChange, SegmentRejection, create_segment, delete_segment, segment_condition,
    segment_contacts, segment_contacts_count, segments_by_ids, segments_count, segments_page,
    update_segment,
};
pub use store::e164;
pub use time_zones::time_zones;

/// The text attribute that says in which time zone a contact lives, where an account keeps it: its
/// values are names of the IANA time zone database.
pub const TIME_ZONE_KEY: &str = "time_zone";
/// Attributes of one account.
pub const ATTRIBUTES_MAX: u64 = 100;
/// Characters of an attribute's key.
pub const KEY_CHARS_MAX: usize = 50;
/// What stands for the recipient's preference page in texts, and so is no attribute's key.
pub const PREFERENCES_KEY: &str = "preferences";
/// Characters of a text value.
pub const TEXT_CHARS_MAX: usize = 500;
/// Tags of one contact.
pub const TAGS_MAX: usize = 50;
/// Characters of a tag.
pub const TAG_CHARS_MAX: usize = 50;
/// Lists of one account that are not deleted.
pub const LISTS_MAX: u64 = 1_000;
/// Segments of one account.
pub const SEGMENTS_MAX: u64 = 1_000;
/// Characters of the name of a list or a segment.
pub const NAME_CHARS_MAX: usize = 100;
