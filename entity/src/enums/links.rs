//! Of short links.

use sea_orm::{DeriveActiveEnum, EnumIter};
use serde::{Deserialize, Serialize};

stored_enum! {
    /// Who followed a short link, as far as a request shows.
    ClickKind {
        /// Nothing shows that it was no person.
        Person = 0,
        /// A program that does not say what it is.
        Nameless = 1,
        /// A browser or messenger that fetches ahead.
        Prefetch = 2,
        /// A messenger or social network that makes a preview.
        Preview = 3,
        /// A program that says so, or is known.
        Bot = 4,
        /// An agent that is not known, within two seconds after the message left.
        TooSoon = 5,
    }
}

stored_enum! {
    /// What a link was followed by: all that is kept of a user agent.
    AgentFamily {
        /// None that is known.
        Other = 0,
        /// Chrome, and what is made of it.
        Chrome = 1,
        /// Safari, and what shows pages inside of apps on iOS.
        Safari = 2,
        /// Firefox.
        Firefox = 3,
        /// Edge.
        Edge = 4,
        /// Samsung Internet.
        Samsung = 5,
        /// Opera.
        Opera = 6,
    }
}

stored_enum! {
    /// Whether an account proved that a host is its own.
    LinkDomainStatus {
        /// It has not, or another account has since.
        Pending = 0,
        /// It has: the host's links are its own.
        Verified = 1,
    }
}
