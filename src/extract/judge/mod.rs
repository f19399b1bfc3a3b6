//! What is made of the choice: the article's text, the flags it earns, and the operator's selectors, which win over all.

pub(crate) mod flags;
pub(crate) mod operator;
pub(crate) mod text;
