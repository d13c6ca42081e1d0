//! Offers as a file: CSV (RFC 4180) with a line of column names, put into the catalog whole or not at
//! all.
//!
//! Columns are found by their names, in any order and any case; others are passed over. `name`,
//! `currency`, `price`, `kind`, `amount` and `validity` have to be there, `prefixes` and `classes`
//! may be missing or empty, and separate what they name by blanks. A field does not run over the end
//! of its line. An offer of a name that is there
//! is changed to what its line says, and put back on offer.

use std::collections::{HashMap, HashSet};

use csv::StringRecord;
use entity::enums::{MessageClass, ValidityUnit};
use entity::ids::PackageId;
use entity::package::{Entity, Model};
use entity::time::UnixMillis;
use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel, QuerySelect};

use super::PACKAGES_MAX;
use super::commands::{NewPackage, archived, insert, row_of};
use super::model::{Holding, InvalidPackage, ScopeText, Validity};
use crate::authz::Action;
use crate::billing::rate_cards::{FAULTS_SHOWN_MAX, LineFault, Lines, Present, PriceListFault};
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::Error;
use crate::types::money::{Currency, Micros};

/// Octets of a list: it has to fit into a request with the rest of it.
const TEXT_BYTES_MAX: usize = 200 * 1_024;

/// What was put in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImportedPackages {
    /// Offers that are new.
    pub created: usize,
    /// Offers that were there and were changed.
    pub updated: usize,
    /// Offers that the list does not name, and that were archived for it.
    pub archived: usize,
}

/// Why nothing was put in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImportPackagesRejection {
    /// Longer than 200 KiB.
    #[error("a list of packages has at most 200 KiB")]
    TooLong,
    /// Its first line does not name the columns, or names one twice.
    #[error(
        "the first line names the columns: name, currency, price, kind, amount and validity, and if \
         wanted prefixes and classes, each once and with commas between them"
    )]
    Columns,
    /// It has no packages.
    #[error("there are no packages in it")]
    Empty,
    /// Lines of it are not packages: how many, and the first of them.
    #[error("{0} of its lines are not packages")]
    Lines(usize, Vec<LineFault>),
    /// All packages together would be more than [`PACKAGES_MAX`].
    #[error("there are as many packages as there may be: {PACKAGES_MAX}")]
    Full,
}

/// What is wrong with a line.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error(transparent)]
    Package(#[from] InvalidPackage),
    #[error("a currency is three letters of ISO 4217")]
    Currency,
    #[error("a price and an amount are written in digits, with a point before their decimals")]
    Number,
    #[error("a kind is PARTS or CREDIT, and parts are whole")]
    Kind,
    #[error("a validity is a number of days or months: 30d, 12m")]
    Validity,
    #[error("classes are OTP, TRANSACTIONAL and MARKETING; empty or ALL: every class")]
    Class,
    #[error("the package of this name stands in line {0} as well")]
    Repeated(usize),
    #[error("the package of this name is of another kind or currency, which stay")]
    OtherKind,
}

/// Reads a list of offers and puts it into the catalog, in one transaction. Idempotent: what is
/// already as the list says stays as it is. With [`Present::Replace`] offers that it does not name
/// are archived.
///
/// # Errors
/// [`ImportPackagesRejection`], or a failure; nothing was changed then.
pub async fn import(
    ctx: &Ctx,
    list: &str,
    present: Present,
) -> Result<ImportedPackages, Error<ImportPackagesRejection>> {
    ctx.actor.require(Action::ManagePrices)?;
    if list.len() > TEXT_BYTES_MAX {
        return Err(Error::Rejected(ImportPackagesRejection::TooLong));
    }
    let now = ctx.clock.now();
    let lines = &read(list, now, || ctx.ids.next()).map_err(Error::Rejected)?;
    ctx.db.write(|tx| async move { write(&tx, lines, present, now).await }).await
}

/// An offer, and the line where it stands.
type Line = (usize, Model);

fn read(
    list: &str,
    now: UnixMillis,
    next_id: impl Fn() -> PackageId,
) -> Result<Vec<Line>, ImportPackagesRejection> {
    let mut list = Lines::new(list.as_bytes());
    let names = next(&mut list)?.ok_or(ImportPackagesRejection::Columns)?;
    let columns = Columns::find(&names).ok_or(ImportPackagesRejection::Columns)?;
    let (mut lines, mut faults): (Vec<Line>, Vec<LineFault>) = (Vec::new(), Vec::new());
    let mut seen: HashMap<String, usize> = HashMap::new();
    while let Some(record) = next(&mut list)? {
        let number = list.number();
        let row = columns.row(&record, next_id(), now);
        let row = row.and_then(|row| match seen.insert(row.name.clone(), number) {
            Some(first) => Err(Fault::Repeated(first)),
            None => Ok(row),
        });
        match row {
            Ok(row) => lines.push((number, row)),
            Err(fault) => faults.push(LineFault { line: number, reason: fault.to_string() }),
        }
    }
    if !faults.is_empty() {
        return Err(faulty(faults));
    }
    if lines.is_empty() { Err(ImportPackagesRejection::Empty) } else { Ok(lines) }
}

/// The next line that is not blank.
fn next(list: &mut Lines<&[u8]>) -> Result<Option<StringRecord>, ImportPackagesRejection> {
    let record = list.next_record().map_err(|fault| match fault {
        PriceListFault::TooManyLines => ImportPackagesRejection::TooLong,
        fault => {
            let fault = LineFault { line: list.number(), reason: fault.to_string() };
            ImportPackagesRejection::Lines(1, vec![fault])
        }
    })?;
    Ok(record.map(StringRecord::from_byte_record_lossy))
}

fn faulty(mut faults: Vec<LineFault>) -> ImportPackagesRejection {
    let count = faults.len();
    faults.truncate(FAULTS_SHOWN_MAX);
    ImportPackagesRejection::Lines(count, faults)
}

async fn write(
    tx: &Tx,
    lines: &[Line],
    present: Present,
    now: UnixMillis,
) -> Result<ImportedPackages, Error<ImportPackagesRejection>> {
    let all = Entity::find().lock_exclusive().all(&**tx).await?;
    let count = all.len();
    let mut by_name: HashMap<String, Model> =
        all.into_iter().map(|row| (row.name.clone(), row)).collect();
    let mut imported = ImportedPackages { created: 0, updated: 0, archived: 0 };
    let mut faults = Vec::new();
    for (line, wanted) in lines {
        match by_name.remove(&wanted.name) {
            None => {
                insert(tx, wanted).await?;
                imported.created += 1;
            }
            Some(found) if (found.kind, &found.currency) != (wanted.kind, &wanted.currency) => {
                faults.push(LineFault { line: *line, reason: Fault::OtherKind.to_string() });
            }
            Some(found) => {
                let changed = as_wanted(&found, wanted, now);
                if changed != found {
                    changed.into_active_model().reset_all().update(&**tx).await?;
                    imported.updated += 1;
                }
            }
        }
    }
    if !faults.is_empty() {
        return Err(Error::Rejected(faulty(faults)));
    }
    if (count + imported.created) as u64 > PACKAGES_MAX {
        return Err(Error::Rejected(ImportPackagesRejection::Full));
    }
    if present == Present::Replace {
        for found in by_name.into_values().filter(|row| row.archived_at_ms.is_none()) {
            archived(found, now).update(&**tx).await?;
            imported.archived += 1;
        }
    }
    Ok(imported)
}

/// An offer as its line says; with a new version only where that is something else.
fn as_wanted(found: &Model, wanted: &Model, now: UnixMillis) -> Model {
    let same = Model {
        id: found.id,
        version: found.version,
        created_at_ms: found.created_at_ms,
        updated_at_ms: found.updated_at_ms,
        ..wanted.clone()
    };
    if same == *found {
        return same;
    }
    Model { version: found.version + 1, updated_at_ms: now, ..same }
}

/// Where the columns are.
struct Columns {
    name: usize,
    currency: usize,
    price: usize,
    kind: usize,
    amount: usize,
    validity: usize,
    prefixes: Option<usize>,
    classes: Option<usize>,
}

impl Columns {
    fn find(names: &StringRecord) -> Option<Self> {
        let lower: Vec<String> = names.iter().map(str::to_ascii_lowercase).collect();
        let distinct: HashSet<&String> = lower.iter().filter(|name| is_ours(name)).collect();
        if distinct.len() < lower.iter().filter(|name| is_ours(name)).count() {
            return None;
        }
        let place = |wanted: &str| lower.iter().position(|name| name == wanted);
        Some(Self {
            name: place("name")?,
            currency: place("currency")?,
            price: place("price")?,
            kind: place("kind")?,
            amount: place("amount")?,
            validity: place("validity")?,
            prefixes: place("prefixes"),
            classes: place("classes"),
        })
    }

    fn row(&self, record: &StringRecord, id: PackageId, now: UnixMillis) -> Result<Model, Fault> {
        let field = |place: usize| record.get(place).unwrap_or_default();
        let list = |place: Option<usize>| place.map(field).unwrap_or_default();
        let number = |place| field(place).parse::<Micros>().map_err(|_| Fault::Number);
        let mut holding = Holding::default();
        match field(self.kind).to_ascii_uppercase().as_str() {
            "PARTS" => {
                holding.parts = Some(field(self.amount).parse().map_err(|_| Fault::Kind)?);
            }
            "CREDIT" => holding.credit = Some(number(self.amount)?),
            _ => return Err(Fault::Kind),
        }
        let prefixes: Vec<String> =
            list(self.prefixes).split_whitespace().map(str::to_owned).collect();
        let classes: Result<Vec<MessageClass>, Fault> = match list(self.classes) {
            all if all.eq_ignore_ascii_case("all") => Ok(Vec::new()),
            some => some.split_whitespace().map(class).collect(),
        };
        let new = NewPackage {
            name: field(self.name).to_owned(),
            currency: field(self.currency).parse::<Currency>().map_err(|_| Fault::Currency)?,
            price: number(self.price)?,
            holding,
            validity: validity(field(self.validity))?,
            scope: ScopeText { prefixes, classes: classes? },
        };
        Ok(row_of(&new, id, now)?)
    }
}

fn is_ours(name: &str) -> bool {
    const OURS: [&str; 8] =
        ["name", "currency", "price", "kind", "amount", "validity", "prefixes", "classes"];
    OURS.contains(&name)
}

fn class(text: &str) -> Result<MessageClass, Fault> {
    match text.to_ascii_uppercase().as_str() {
        "OTP" => Ok(MessageClass::Otp),
        "TRANSACTIONAL" => Ok(MessageClass::Transactional),
        "MARKETING" => Ok(MessageClass::Marketing),
        _ => Err(Fault::Class),
    }
}

fn validity(text: &str) -> Result<Validity, Fault> {
    let text = text.to_ascii_lowercase();
    let (count, unit) = match (text.strip_suffix('d'), text.strip_suffix('m')) {
        (Some(days), _) => (days, ValidityUnit::Days),
        (None, Some(months)) => (months, ValidityUnit::Months),
        (None, None) => return Err(Fault::Validity),
    };
    let count = count.trim().parse().map_err(|_| Fault::Validity)?;
    Ok(Validity { unit, count })
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn lines(list: &str) -> Result<Vec<Line>, ImportPackagesRejection> {
        read(list, UnixMillis(1), || PackageId(Uuid::nil()))
    }

    #[test]
    fn columns_are_found_by_name_and_fields_are_read_as_written() {
        let list = "\u{feff}Kind,NAME,note,price,currency,amount,validity,classes,prefixes\r\n\
            parts,\"Small, 100\",x,1.50,USD,100,30d,otp MARKETING,+49 +43\r\n\r\n\
            CREDIT,Big,,0,EUR,12.5,1M,,\r\n";
        let read = lines(list).unwrap();
        let small = &read[0].1;
        assert_eq!(
            (read[0].0, small.name.as_str(), small.amount_micros),
            (2, "Small, 100", 100_000_000)
        );
        assert_eq!((small.prefixes.as_str(), small.classes), ("43 49", 0b101));
        assert_eq!((small.validity_unit, small.validity_count), (ValidityUnit::Days, 30));
        let big = &read[1].1;
        assert_eq!((read[1].0, big.amount_micros, big.price_micros), (4, 12_500_000, 0));
        assert_eq!((big.validity_unit, big.classes), (ValidityUnit::Months, 0b111));
    }

    #[test]
    fn each_faulty_line_is_told_by_its_number() {
        let list = "name,currency,price,kind,amount,validity,classes\n\
            A,USD,1,PARTS,10,30d,\nA,USD,1,PARTS,10,30d,\n,USD,1,PARTS,10,30d,\nB,US,1,PARTS,10,30d,\n\
            C,USD,-1,PARTS,10,30d,\nD,USD,1,PARTS,1.5,30d,\nE,USD,1,SMS,10,30d,\nF,USD,1,CREDIT,0,30d,\n\
            G,USD,1,PARTS,10,30,\nH,USD,1,PARTS,10,0d,\nI,USD,1,PARTS,10,30d,SMS\nJ\n";
        match lines(list) {
            Err(ImportPackagesRejection::Lines(count, faults)) => {
                let told: Vec<usize> = faults.iter().map(|fault| fault.line).collect();
                assert_eq!((count, told), (11, (3..=13).collect()));
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_no_list_is_refused_whole() {
        for list in ["", "A,USD\n", "name,currency,price,kind,amount,validity,NAME\n"] {
            assert_eq!(lines(list), Err(ImportPackagesRejection::Columns), "{list}");
        }
        let empty = "name,currency,price,kind,amount,validity\n";
        assert_eq!(lines(empty), Err(ImportPackagesRejection::Empty));
    }
}
