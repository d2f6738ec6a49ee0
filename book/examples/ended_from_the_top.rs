use asyncdrop::{AsyncDropStack, AsyncDropWith};
use std::io;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut open = AsyncDropStack::new();
    open.push(AsyncDropWith::new("broker", async |_| {
        println!("the broker is disconnected");
        Err(io::Error::other("the broker was gone already"))
    }));
    let database = open.push(AsyncDropWith::new(String::from("shop"), async |name| {
        println!("the database {name} is closed");
        "x".parse::<u16>().map(drop)
    }));
    open.push(AsyncDropWith::new("mailer", async |_| {
        println!("the mailer is stopped");
        Ok::<_, io::Error>(())
    }));

    println!(
        "serving from {}, {} values open",
        open[database].as_str(),
        open.len()
    );

    if let Err(errors) = open.async_drop().await {
        println!("{} of {} failed:", errors.len(), errors.total());
        for (origin, error) in &errors {
            println!("  line {}: {error}", origin.location().line());
        }
    }
}
