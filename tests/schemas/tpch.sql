-- entity: customer
CREATE TABLE region (r_regionkey integer PRIMARY KEY, r_name character(25) NOT NULL);
CREATE TABLE nation (n_nationkey integer PRIMARY KEY, n_regionkey integer NOT NULL REFERENCES region);
CREATE TABLE part (p_partkey integer PRIMARY KEY, p_name varchar(55) NOT NULL);
CREATE TABLE supplier (s_suppkey integer PRIMARY KEY, s_nationkey integer NOT NULL REFERENCES nation);
CREATE TABLE partsupp (ps_partkey integer NOT NULL REFERENCES part, ps_suppkey integer NOT NULL REFERENCES supplier, PRIMARY KEY (ps_partkey, ps_suppkey));
CREATE TABLE customer (c_custkey integer PRIMARY KEY, c_nationkey integer NOT NULL REFERENCES nation, c_acctbal decimal(15,2) NOT NULL);
CREATE TABLE orders (o_orderkey integer PRIMARY KEY, o_custkey integer NOT NULL REFERENCES customer, o_orderdate date NOT NULL);
CREATE TABLE lineitem (l_orderkey integer NOT NULL REFERENCES orders, l_partkey integer NOT NULL, l_suppkey integer NOT NULL,
  l_linenumber integer NOT NULL, FOREIGN KEY (l_partkey, l_suppkey) REFERENCES partsupp, PRIMARY KEY (l_orderkey, l_linenumber));
