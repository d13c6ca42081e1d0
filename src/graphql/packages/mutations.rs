//! Making, changing, archiving and importing packages.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use super::{Package, PackageValidityInput};
use crate::billing::packages::{
    self, ArchivePackageRejection, ChangePackageRejection, CreatePackageRejection, Holding,
    ImportPackagesRejection, ImportedPackages, InvalidPackage, NewPackage, PackageChange,
    ScopeText,
};
use crate::billing::rate_cards::Present;
use crate::graphql::call;
use crate::graphql::errors::{Answer, user_error, value_or_rejection};
use crate::graphql::ids::parse_id;
use crate::graphql::messages::enums::MessageClass;
use crate::graphql::rate_cards::FaultyLine;
use crate::graphql::scalars::{CurrencyCode, Decimal};

/// What `createPackage` takes.
#[derive(InputObject, Debug)]
pub struct CreatePackageInput {
    /// Its name, unique, 1 to 100 characters.
    pub name: String,
    /// What its price, and credit, are in.
    pub currency: CurrencyCode,
    /// What it costs; zero or more, at most a hundred million.
    pub price: Decimal,
    /// How many parts of messages it holds, at most a hundred million; null or absent: `credit`.
    pub parts: Option<i32>,
    /// How much credit it holds, at most a hundred million; null or absent: `parts`. One of both is
    /// given.
    pub credit: Option<Decimal>,
    /// For how long it is valid once it is granted.
    pub valid_for: PackageValidityInput,
    /// What the numbers that it pays for begin with: at most 300, each a plus sign and 1 to 15
    /// digits; null, absent or empty: all numbers.
    pub prefixes: Option<Vec<String>>,
    /// The classes of messages that it pays for, at most 3; null, absent or empty: every class.
    pub classes: Option<Vec<MessageClass>>,
}

/// What `createPackage` answers.
#[derive(SimpleObject)]
pub struct CreatePackagePayload {
    /// The new package; null if it was not made.
    package: Option<Package>,
    /// Why not; empty if it was.
    user_errors: Vec<CreatePackageError>,
}

user_error! {
    /// Why a package was not made.
    CreatePackageError,
    /// Why a package was not made, for a program to read.
    CreatePackageErrorCode {
        /// The name is empty or longer than 100 characters.
        InvalidName,
        /// There is a package of this name.
        NameTaken,
        /// The price is below zero or above a hundred million.
        InvalidPrice,
        /// Neither parts nor credit, or both, or not above zero and at most a hundred million.
        InvalidAmount,
        /// Not 1 to 3,660 days or 1 to 120 months.
        InvalidValidity,
        /// One of the prefixes is none, comes again, or there are more than 300.
        InvalidPrefixes,
        /// There are as many packages as there may be: 1,000.
        TooManyPackages,
    }
}

/// What `updatePackage` takes. What is absent stays; what accounts have of the package stays in any
/// case.
#[derive(InputObject, Debug)]
pub struct UpdatePackageInput {
    /// The package, `pack_…`.
    pub package_id: ID,
    /// Another name, unique, 1 to 100 characters.
    pub name: Option<String>,
    /// Another price; zero or more, at most a hundred million.
    pub price: Option<Decimal>,
    /// Another number of parts, of a package that holds parts.
    pub parts: Option<i32>,
    /// Another amount of credit, of a package that holds credit.
    pub credit: Option<Decimal>,
    /// Another validity.
    pub valid_for: Option<PackageValidityInput>,
    /// Other numbers, as in `createPackage`, and every class unless `classes` is given as well.
    pub prefixes: Option<Vec<String>>,
    /// Other classes, as in `createPackage`, and all numbers unless `prefixes` is given as well.
    pub classes: Option<Vec<MessageClass>>,
}

/// What `updatePackage` answers.
#[derive(SimpleObject)]
pub struct UpdatePackagePayload {
    /// The package as it is now; null if it was not changed.
    package: Option<Package>,
    /// Why not; empty if it was.
    user_errors: Vec<UpdatePackageError>,
}

user_error! {
    /// Why a package was not changed.
    UpdatePackageError,
    /// Why a package was not changed, for a program to read.
    UpdatePackageErrorCode {
        /// There is no such package.
        PackageNotFound,
        /// The package is archived.
        PackageArchived,
        /// The name is empty or longer than 100 characters.
        InvalidName,
        /// There is a package of this name.
        NameTaken,
        /// The price is below zero or above a hundred million.
        InvalidPrice,
        /// Both parts and credit, or not above zero and at most a hundred million.
        InvalidAmount,
        /// A package of parts stays one of parts, and one of credit one of credit.
        OtherKind,
        /// Not 1 to 3,660 days or 1 to 120 months.
        InvalidValidity,
        /// One of the prefixes is none, comes again, or there are more than 300.
        InvalidPrefixes,
    }
}

/// What `archivePackage` takes.
#[derive(InputObject, Debug)]
pub struct ArchivePackageInput {
    /// The package, `pack_…`.
    pub package_id: ID,
}

/// What `archivePackage` answers.
#[derive(SimpleObject)]
pub struct ArchivePackagePayload {
    /// The package as it is now; null if there is none.
    package: Option<Package>,
    /// Why it was not archived; empty if it was.
    user_errors: Vec<ArchivePackageError>,
}

user_error! {
    /// Why a package was not archived.
    ArchivePackageError,
    /// Why a package was not archived, for a program to read.
    ArchivePackageErrorCode {
        /// There is no such package.
        PackageNotFound,
    }
}

/// What `importPackages` takes.
#[derive(InputObject, Debug)]
pub struct ImportPackagesInput {
    /// The packages: CSV (RFC 4180) in UTF-8, at most 200 KiB, whose first line names the columns
    /// `name`, `currency`, `price`, `kind` (`PARTS` or `CREDIT`), `amount` and `validity` (`30d`,
    /// `12m`), and if wanted `prefixes` and `classes` (separated by blanks), in any order. Others are
    /// passed over. Empty prefixes are all numbers, empty classes every class.
    pub csv: String,
    /// Whether packages that the list does not name are archived; null or absent: they stay.
    pub replace: Option<bool>,
}

/// What `importPackages` answers.
#[derive(SimpleObject)]
pub struct ImportPackagesPayload {
    /// How many packages are new.
    created_count: i32,
    /// How many were there and are something else now.
    updated_count: i32,
    /// How many were archived, since the list does not name them.
    archived_count: i32,
    /// The first lines that are not packages, at most 100.
    faulty_lines: Vec<FaultyLine>,
    /// Why nothing was imported; empty if the list was.
    user_errors: Vec<ImportPackagesError>,
}

user_error! {
    /// Why packages were not imported.
    ImportPackagesError,
    /// Why packages were not imported, for a program to read.
    ImportPackagesErrorCode {
        /// The list is longer than 200 KiB.
        ListTooLong,
        /// It is not a list of packages with a line of column names.
        InvalidList,
        /// Lines of it are not packages; `faultyLines` says which and why.
        FaultyLines,
        /// There would be more packages than there may be: 1,000.
        TooManyPackages,
    }
}

/// Writes.
#[derive(Default)]
pub struct PackagesMutation;

#[Object]
impl PackagesMutation {
    /// Makes a package and offers it to the accounts of its currency. For the operator's owners,
    /// admins and billing. Not idempotent: a second package of the name answers `NAME_TAKEN` and
    /// changes nothing.
    async fn create_package(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to make.")] input: CreatePackageInput,
    ) -> Answer<CreatePackagePayload> {
        let new = NewPackage {
            name: input.name,
            currency: input.currency.0,
            price: input.price.0,
            holding: holding(input.parts, input.credit),
            validity: input.valid_for.into(),
            scope: scope(input.prefixes, input.classes),
        };
        let outcome = packages::create(call(context)?, new).await;
        Ok(match value_or_rejection(outcome)? {
            Ok(row) => {
                CreatePackagePayload { package: Some(Package(row)), user_errors: Vec::new() }
            }
            Err(rejection) => {
                CreatePackagePayload { package: None, user_errors: vec![create_error(rejection)] }
            }
        })
    }

    /// Changes a package that is on offer, for those who get it from then on. For the operator's
    /// owners, admins and billing. Idempotent, but that the package gets a new version.
    async fn update_package(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which package, and what of it.")] input: UpdatePackageInput,
    ) -> Answer<UpdatePackagePayload> {
        let (ctx, id) = (call(context)?, parse_id(&input.package_id)?);
        let is_scoped = input.prefixes.is_some() || input.classes.is_some();
        let is_held = input.parts.is_some() || input.credit.is_some();
        let change = PackageChange {
            name: input.name,
            price: input.price.map(|price| price.0),
            holding: is_held.then(|| holding(input.parts, input.credit)),
            validity: input.valid_for.map(Into::into),
            scope: is_scoped.then(|| scope(input.prefixes, input.classes)),
        };
        Ok(match value_or_rejection(packages::change(ctx, id, change).await)? {
            Ok(row) => {
                UpdatePackagePayload { package: Some(Package(row)), user_errors: Vec::new() }
            }
            Err(rejection) => {
                UpdatePackagePayload { package: None, user_errors: vec![update_error(rejection)] }
            }
        })
    }

    /// Takes a package off the offers. What accounts have of it stays, and plans go on to include it;
    /// importing a package of its name offers it again. For the operator's owners, admins and billing.
    /// Idempotent.
    async fn archive_package(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which package.")] input: ArchivePackageInput,
    ) -> Answer<ArchivePackagePayload> {
        let outcome = packages::archive(call(context)?, parse_id(&input.package_id)?).await;
        Ok(match value_or_rejection(outcome)? {
            Ok(row) => {
                ArchivePackagePayload { package: Some(Package(row)), user_errors: Vec::new() }
            }
            Err(rejection @ ArchivePackageRejection::NotFound) => {
                let code = ArchivePackageErrorCode::PackageNotFound;
                let error = ArchivePackageError::new(code, &["packageId"], rejection);
                ArchivePackagePayload { package: None, user_errors: vec![error] }
            }
        })
    }

    /// Puts a list of packages into the catalog, whole or not at all: a package of a name that is
    /// there is changed to what its line says and offered again. For the operator's owners, admins and
    /// billing. Idempotent.
    async fn import_packages(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The list.")] input: ImportPackagesInput,
    ) -> Answer<ImportPackagesPayload> {
        let present = match input.replace {
            Some(true) => Present::Replace,
            Some(false) | None => Present::Keep,
        };
        let outcome = packages::import(call(context)?, &input.csv, present).await;
        Ok(import_payload(value_or_rejection(outcome)?))
    }
}

fn holding(parts: Option<i32>, credit: Option<Decimal>) -> Holding {
    Holding { parts, credit: credit.map(|credit| credit.0) }
}

fn scope(prefixes: Option<Vec<String>>, classes: Option<Vec<MessageClass>>) -> ScopeText {
    let classes = classes.unwrap_or_default().into_iter().map(Into::into).collect();
    ScopeText { prefixes: prefixes.unwrap_or_default(), classes }
}

fn create_error(rejection: CreatePackageRejection) -> CreatePackageError {
    use CreatePackageErrorCode as Code;
    let (code, path): (_, &[&str]) = match rejection {
        CreatePackageRejection::NameTaken => (Code::NameTaken, &["name"]),
        CreatePackageRejection::TooMany => (Code::TooManyPackages, &[]),
        CreatePackageRejection::Invalid(fault) => match fault {
            InvalidPackage::Name => (Code::InvalidName, &["name"]),
            InvalidPackage::Price => (Code::InvalidPrice, &["price"]),
            InvalidPackage::Amount => (Code::InvalidAmount, &[]),
            InvalidPackage::Validity => (Code::InvalidValidity, &["validFor"]),
            InvalidPackage::Prefixes => (Code::InvalidPrefixes, &["prefixes"]),
        },
    };
    CreatePackageError::new(code, path, rejection)
}

fn update_error(rejection: ChangePackageRejection) -> UpdatePackageError {
    use UpdatePackageErrorCode as Code;
    let (code, path): (_, &[&str]) = match rejection {
        ChangePackageRejection::NotFound => (Code::PackageNotFound, &["packageId"]),
        ChangePackageRejection::Archived => (Code::PackageArchived, &["packageId"]),
        ChangePackageRejection::NameTaken => (Code::NameTaken, &["name"]),
        ChangePackageRejection::OtherKind => (Code::OtherKind, &[]),
        ChangePackageRejection::Invalid(fault) => match fault {
            InvalidPackage::Name => (Code::InvalidName, &["name"]),
            InvalidPackage::Price => (Code::InvalidPrice, &["price"]),
            InvalidPackage::Amount => (Code::InvalidAmount, &[]),
            InvalidPackage::Validity => (Code::InvalidValidity, &["validFor"]),
            InvalidPackage::Prefixes => (Code::InvalidPrefixes, &["prefixes"]),
        },
    };
    UpdatePackageError::new(code, path, rejection)
}

fn import_payload(
    outcome: Result<ImportedPackages, ImportPackagesRejection>,
) -> ImportPackagesPayload {
    use ImportPackagesErrorCode as Code;
    let count = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
    let rejection = match outcome {
        Ok(ImportedPackages { created, updated, archived }) => {
            return ImportPackagesPayload {
                created_count: count(created),
                updated_count: count(updated),
                archived_count: count(archived),
                faulty_lines: Vec::new(),
                user_errors: Vec::new(),
            };
        }
        Err(rejection) => rejection,
    };
    let code = match &rejection {
        ImportPackagesRejection::TooLong => Code::ListTooLong,
        ImportPackagesRejection::Columns | ImportPackagesRejection::Empty => Code::InvalidList,
        ImportPackagesRejection::Lines(..) => Code::FaultyLines,
        ImportPackagesRejection::Full => Code::TooManyPackages,
    };
    let user_errors = vec![ImportPackagesError::new(code, &["csv"], &rejection)];
    let faulty_lines = match rejection {
        ImportPackagesRejection::Lines(_, faults) => faults,
        _ => Vec::new(),
    };
    ImportPackagesPayload {
        created_count: 0,
        updated_count: 0,
        archived_count: 0,
        faulty_lines: faulty_lines.into_iter().map(Into::into).collect(),
        user_errors,
    }
}
