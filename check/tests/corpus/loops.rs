//! Loops.

use super::*;

// finds: dropped-armed continue
pub async fn continued(numbers: Vec<u8>) {
    for number in numbers {
        let mut session = open();
        if number == 0 {
            continue;
        }
        session.async_drop().await.unwrap();
    }
}

// finds: dropped-armed break
pub async fn broken_off(numbers: Vec<u8>) {
    for number in numbers {
        let mut session = open();
        if number == 0 {
            break;
        }
        session.async_drop().await.unwrap();
    }
}

// finds: nothing
pub async fn in_each_round(numbers: Vec<u8>) -> Result<(), Failed> {
    for number in numbers {
        let mut session = open();
        let checked = check(number);
        session.async_drop().await?;
        checked?;
    }
    Ok(())
}

// finds: dropped-armed ?
pub async fn question_mark_in_a_round(numbers: Vec<u8>) -> Result<(), Failed> {
    for number in numbers {
        let mut session = open();
        check(number)?;
        session.async_drop().await?;
    }
    Ok(())
}

// finds: dropped-armed end
pub async fn forgotten_in_each_round() {
    loop {
        let session = open();
        step().await.ok();
    }
}

// finds: nothing
pub async fn tried_again() -> Result<(), Failed> {
    let mut session = open();
    while session.async_drop().await.is_err() {
        step().await.ok();
    }
    Ok(())
}

// finds: nothing
pub async fn replaced_in_a_loop() -> Result<(), Failed> {
    let mut session = open();
    for _ in 0..3 {
        session.async_drop().await?;
        session = open();
    }
    session.async_drop().await
}
