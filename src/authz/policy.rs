//! The policy: which roles, scopes and others may do which action. One table, printed as the
//! golden file `tests/it/snapshots/…policy…` so that a change of it is seen in review.

use entity::enums::Role;

/// What is asked for. Each command and query names exactly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Read messages, their events and attempts.
    ReadMessages,
    /// Read the text of messages.
    ReadMessageText,
    /// Send, estimate.
    SendMessages,
    /// Cancel what has not left.
    CancelMessages,
    /// Read senders.
    ReadSenders,
    /// Register senders.
    ManageSenders,
    /// Read API keys (never the keys themselves).
    ReadApiKeys,
    /// Make, rotate and revoke API keys.
    ManageApiKeys,
    /// Read the account and who belongs to it.
    ReadAccount,
    /// Change the account.
    ManageAccount,
    /// Read and end one's own log-ins.
    ManageOwnSessions,
    /// Make accounts.
    CreateAccounts,
    /// Suspend and reactivate accounts, change who belongs to them and as what, let their first
    /// owners in.
    ManageAccounts,
    /// Read all accounts.
    ReadAllAccounts,
    /// Decide on senders.
    DecideSenders,
    /// Read carriers and routes.
    ReadCarriers,
    /// Make and change carriers and routes.
    ManageCarriers,
    /// Replace the key that signs access tokens.
    RotateSigningKeys,
    /// Read the account's balance, ledger, usage, payments and invoices.
    ReadBilling,
    /// Pay: top up, pay invoices, redeem vouchers, buy packages.
    Pay,
    /// Set credit limits and starting balances, refund, and settle what payments leave open.
    ManageCredit,
    /// Make and change prices, plans, packages and vouchers.
    ManagePrices,
    /// Read all accounts' money, and what processors posted.
    ReadAllBilling,
    /// Connect payment processors.
    ManageProcessors,
    /// Check the ledger.
    VerifyLedger,
    /// Say to whom the account's invoices are made out.
    ManageBillingProfile,
    /// Read contacts, lists, segments, and what people consented to.
    ReadContacts,
    /// Make, change and delete contacts, lists and segments.
    ManageContacts,
    /// Record consent, suppress numbers and take that back.
    ManageConsent,
    /// Make, finalize and correct invoices, and record what was paid of them by other ways.
    ManageInvoices,
    /// Read campaigns and what became of them.
    ReadCampaigns,
    /// Make, change, start, pause and cancel campaigns.
    ManageCampaigns,
    /// Read the account's own domains for short links.
    ReadLinkDomains,
    /// Add, verify and delete them.
    ManageLinkDomains,
}

/// What an API key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// Send, estimate and cancel messages.
    MessagesSend,
    /// Read messages with their text, and their events.
    MessagesRead,
    /// Read and register senders.
    SendersManage,
    /// Read the account.
    AccountRead,
    /// Read the balance, the ledger, usage, payments and invoices.
    BillingRead,
    /// Read and change contacts, lists, segments and consent.
    ContactsManage,
    /// Read, make and run campaigns.
    CampaignsManage,
}

impl Scope {
    /// Every scope.
    pub const ALL: &'static [Self] = &[
        Self::MessagesSend,
        Self::MessagesRead,
        Self::SendersManage,
        Self::AccountRead,
        Self::BillingRead,
        Self::ContactsManage,
        Self::CampaignsManage,
    ];

    /// As stored and shown.
    pub const fn name(self) -> &'static str {
        match self {
            Self::MessagesSend => "messages:send",
            Self::MessagesRead => "messages:read",
            Self::SendersManage => "senders:manage",
            Self::AccountRead => "account:read",
            Self::BillingRead => "billing:read",
            Self::ContactsManage => "contacts:manage",
            Self::CampaignsManage => "campaigns:manage",
        }
    }

    /// The scope of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|scope| scope.name() == name)
    }
}

/// Whom the table speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A person with this role, in their own account.
    Role(Role),
    /// A person with this role in the operator's account, on the platform.
    OperatorRole(Role),
    /// A key with this scope.
    Scope(Scope),
    /// The command line.
    CommandLine,
}

impl Subject {
    fn all() -> Vec<Self> {
        let roles = Role::ALL.iter().copied();
        let mut all: Vec<_> = roles.clone().map(Self::Role).collect();
        all.extend(roles.map(Self::OperatorRole));
        all.extend(Scope::ALL.iter().copied().map(Self::Scope));
        all.push(Self::CommandLine);
        all
    }

    fn label(self) -> String {
        match self {
            Self::Role(role) => format!("{role:?}").to_lowercase(),
            Self::OperatorRole(role) => format!("operator {role:?}").to_lowercase(),
            Self::Scope(scope) => scope.name().to_owned(),
            Self::CommandLine => "command line".to_owned(),
        }
    }
}

impl Action {
    /// Every action.
    pub const ALL: &'static [Self] = &[
        Self::ReadMessages,
        Self::ReadMessageText,
        Self::SendMessages,
        Self::CancelMessages,
        Self::ReadSenders,
        Self::ManageSenders,
        Self::ReadApiKeys,
        Self::ManageApiKeys,
        Self::ReadAccount,
        Self::ManageAccount,
        Self::ManageOwnSessions,
        Self::CreateAccounts,
        Self::ManageAccounts,
        Self::ReadAllAccounts,
        Self::DecideSenders,
        Self::ReadCarriers,
        Self::ManageCarriers,
        Self::RotateSigningKeys,
        Self::ReadBilling,
        Self::Pay,
        Self::ManageCredit,
        Self::ManagePrices,
        Self::ReadAllBilling,
        Self::ManageProcessors,
        Self::VerifyLedger,
        Self::ManageBillingProfile,
        Self::ManageInvoices,
        Self::ReadContacts,
        Self::ManageContacts,
        Self::ManageConsent,
        Self::ReadCampaigns,
        Self::ManageCampaigns,
        Self::ReadLinkDomains,
        Self::ManageLinkDomains,
    ];

    /// Whether `subject` may do this.
    pub fn allows(self, subject: Subject) -> bool {
        match subject {
            Subject::Role(role) => self.roles().contains(&role),
            Subject::OperatorRole(role) => self.operator_roles().contains(&role),
            Subject::Scope(scope) => self.scopes().contains(&scope),
            Subject::CommandLine => self.command_line(),
        }
    }

    /// What somebody is told who may not.
    pub fn refusal(self) -> String {
        format!("your role or key does not allow this ({self:?})")
    }

    const fn roles(self) -> &'static [Role] {
        use Role::{Admin, Billing, Developer, Owner, Support, Viewer};
        match self {
            Self::ReadMessages
            | Self::ReadCampaigns
            | Self::ReadSenders
            | Self::ReadLinkDomains
            | Self::ReadAccount => &[Owner, Admin, Developer, Billing, Support, Viewer],
            Self::ManageOwnSessions => &[Owner, Admin, Developer, Billing, Support, Viewer],
            Self::ReadMessageText => &[Owner, Admin, Developer, Support],
            Self::SendMessages | Self::CancelMessages => &[Owner, Admin, Developer],
            Self::ManageSenders | Self::ReadApiKeys | Self::ManageApiKeys => {
                &[Owner, Admin, Developer]
            }
            Self::ManageAccount => &[Owner, Admin],
            Self::ReadContacts | Self::ManageConsent => &[Owner, Admin, Developer, Support],
            Self::ManageContacts | Self::ManageCampaigns | Self::ManageLinkDomains => {
                &[Owner, Admin, Developer]
            }
            Self::ReadBilling => &[Owner, Admin, Developer, Billing],
            Self::Pay | Self::ManageBillingProfile => &[Owner, Admin, Billing],
            Self::CreateAccounts
            | Self::ManageAccounts
            | Self::ReadAllAccounts
            | Self::DecideSenders
            | Self::ReadCarriers
            | Self::ManageCarriers
            | Self::RotateSigningKeys
            | Self::ManageCredit
            | Self::ManagePrices
            | Self::ReadAllBilling
            | Self::ManageProcessors
            | Self::VerifyLedger
            | Self::ManageInvoices => &[],
        }
    }

    const fn operator_roles(self) -> &'static [Role] {
        use Role::{Admin, Billing, Developer, Owner, Support, Viewer};
        match self {
            Self::CreateAccounts
            | Self::ManageAccounts
            | Self::ManageCarriers
            | Self::RotateSigningKeys
            | Self::ManageProcessors => &[Owner, Admin],
            Self::ManageCredit
            | Self::ManagePrices
            | Self::ReadAllBilling
            | Self::VerifyLedger
            | Self::ManageInvoices => &[Owner, Admin, Billing],
            Self::DecideSenders => &[Owner, Admin, Support],
            Self::ReadAllAccounts | Self::ReadCarriers => {
                &[Owner, Admin, Developer, Billing, Support, Viewer]
            }
            _ => &[],
        }
    }

    const fn scopes(self) -> &'static [Scope] {
        match self {
            Self::SendMessages | Self::CancelMessages => &[Scope::MessagesSend],
            Self::ReadMessages | Self::ReadMessageText => &[Scope::MessagesRead],
            Self::ReadSenders | Self::ManageSenders => &[Scope::SendersManage],
            Self::ReadAccount => &[
                Scope::AccountRead,
                Scope::MessagesSend,
                Scope::MessagesRead,
                Scope::SendersManage,
                Scope::BillingRead,
                Scope::ContactsManage,
                Scope::CampaignsManage,
            ],
            Self::ReadBilling => &[Scope::BillingRead],
            Self::ReadContacts | Self::ManageContacts | Self::ManageConsent => {
                &[Scope::ContactsManage]
            }
            Self::ReadCampaigns | Self::ReadLinkDomains => {
                &[Scope::CampaignsManage, Scope::MessagesRead]
            }
            Self::ManageCampaigns | Self::ManageLinkDomains => &[Scope::CampaignsManage],
            _ => &[],
        }
    }

    const fn command_line(self) -> bool {
        matches!(
            self,
            Self::CreateAccounts
                | Self::ManageAccounts
                | Self::ReadAllAccounts
                | Self::DecideSenders
                | Self::ReadCarriers
                | Self::ManageCarriers
                | Self::RotateSigningKeys
                | Self::ManageCredit
                | Self::ManagePrices
                | Self::ReadAllBilling
                | Self::ManageProcessors
                | Self::VerifyLedger
                | Self::ManageInvoices
        )
    }
}

/// The whole policy as text, a line an action.
pub fn policy_table() -> String {
    let mut table = String::new();
    for action in Action::ALL {
        let allowed: Vec<_> = Subject::all()
            .into_iter()
            .filter(|subject| action.allows(*subject))
            .map(Subject::label)
            .collect();
        table.push_str(&format!("{action:?}: {}\n", allowed.join(", ")));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_may_do_nothing_that_those_who_make_keys_may_not() {
        let makers = Role::ALL.iter().filter(|role| Action::ManageApiKeys.roles().contains(role));
        for role in makers {
            for action in Action::ALL {
                let by_key = !action.scopes().is_empty();
                assert!(!by_key || action.allows(Subject::Role(*role)), "{role:?} {action:?}");
            }
        }
    }

    #[test]
    fn scopes_have_distinct_names_that_read_back() {
        for scope in Scope::ALL {
            assert_eq!(Scope::from_name(scope.name()), Some(*scope));
        }
        assert_eq!(Scope::from_name("messages:*"), None);
    }
}
