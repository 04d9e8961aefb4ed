package klamm.compat;

/** The checks of the suite "transactions". Arguments: words, of which a check's name has to contain one. */
public final class Transactions {
    public static void main(String[] words) {
        Suite suite = new Suite(words);
        TransactionChecks.run(suite);
        Runtime.getRuntime().halt(suite.finish());
    }
}
