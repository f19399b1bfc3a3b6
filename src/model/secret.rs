//! A string that does not appear in logs.

use std::fmt;

use secrecy::{ExposeSecret as _, SecretString};

/// A secret, such as a password. Two can be compared, but only [`SecretText::expose_secret`] gives the text.
#[derive(Clone, Default)]
pub struct SecretText(SecretString);

impl SecretText {
    /// Returns the text itself.
    pub fn expose_secret(&self) -> &str {
        self.0.expose_secret()
    }
}

impl From<String> for SecretText {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<&str> for SecretText {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl PartialEq for SecretText {
    fn eq(&self, other: &Self) -> bool {
        self.expose_secret() == other.expose_secret()
    }
}

impl Eq for SecretText {}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_compared_and_not_shown() {
        assert_eq!(SecretText::from("swordfish"), SecretText::from("swordfish".to_owned()));
        assert_ne!(SecretText::from("swordfish"), SecretText::from("marlin"));
        assert!(!format!("{:?}", SecretText::from("swordfish")).contains("fish"));
    }
}
