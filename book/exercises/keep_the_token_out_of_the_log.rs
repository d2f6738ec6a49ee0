// fails with: the token is in the log
// ANCHOR: problem
use asyncdrop::incident;
use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::convert::Infallible;
use std::sync::mpsc::Sender;

/// From now on a guard that is dropped without its cleanup is a line in the log.
pub fn log_incidents(log: Sender<String>) {
    incident::set_hook(Box::new(move |incident| {
        let _ = log.send(incident.to_string());
    }));
}

#[derive(Debug)]
pub struct Login {
    user: String,
    token: String,
}

impl Login {
    pub fn new(user: &str, token: &str) -> AsyncDropGuard<Self> {
        let (user, token) = (user.to_owned(), token.to_owned());
        AsyncDropGuard::new(Self { user, token })
    }

    pub fn header(&self) -> String {
        format!("Authorization: Bearer {}", self.token)
    }
}

#[async_trait]
impl AsyncDrop for Login {
    type Error = Infallible;

    async fn async_drop_impl(&mut self) -> Result<(), Infallible> {
        self.token.clear();
        Ok(())
    }
}
// ANCHOR_END: problem

// ANCHOR: solution
use asyncdrop::incident;
use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::convert::Infallible;
use std::fmt::{self, Debug};
use std::sync::mpsc::Sender;

/// From now on a guard that is dropped without its cleanup is a line in the log.
pub fn log_incidents(log: Sender<String>) {
    incident::set_hook(Box::new(move |incident| {
        let _ = log.send(incident.to_string());
    }));
}

pub struct Login {
    user: String,
    token: String,
}

impl Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

impl Login {
    pub fn new(user: &str, token: &str) -> AsyncDropGuard<Self> {
        let (user, token) = (user.to_owned(), token.to_owned());
        AsyncDropGuard::new(Self { user, token })
    }

    pub fn header(&self) -> String {
        format!("Authorization: Bearer {}", self.token)
    }
}

#[async_trait]
impl AsyncDrop for Login {
    type Error = Infallible;

    async fn async_drop_impl(&mut self) -> Result<(), Infallible> {
        self.token.clear();
        Ok(())
    }
}
// ANCHOR_END: solution

// ANCHOR: tests
#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn a_forgotten_login_is_logged_with_its_user_and_without_its_token() {
        let (log, lines) = mpsc::channel();
        log_incidents(log);
        let login = Login::new("ada", "t0p-s3cret");
        assert_eq!(login.header(), "Authorization: Bearer t0p-s3cret");
        drop(login);

        let line = lines.recv().unwrap();
        assert!(
            line.starts_with("Forgot to call async_drop on Login"),
            "{line}"
        );
        assert!(line.contains("ada"), "the user is not in the log: {line}");
        assert!(
            !line.contains("t0p-s3cret"),
            "the token is in the log: {line}"
        );
    }
}
// ANCHOR_END: tests
