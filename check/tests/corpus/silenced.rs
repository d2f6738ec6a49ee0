//! Comments that silence a finding.

use super::*;

// finds: nothing
pub async fn at_the_guard() {
    // asyncdrop: allow(dropped-armed): the process ends here
    let session = open();
}

// finds: nothing
// asyncdrop: allow(dropped-armed): the whole function is a test of the panic
pub async fn at_the_function() {
    let session = open();
}

// finds: dropped-armed ?
pub async fn at_one_way_of_two() -> Result<(), Failed> {
    let mut session = open();
    check(session.0)?; // asyncdrop: allow(dropped-armed): nothing was sent yet
    step().await?;
    session.async_drop().await
}
