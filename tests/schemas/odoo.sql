-- entity: res_company
CREATE TABLE res_currency (id integer PRIMARY KEY, name varchar NOT NULL UNIQUE);
CREATE TABLE res_country (id integer PRIMARY KEY, code varchar(2), currency_id integer REFERENCES res_currency);
CREATE TABLE res_partner (id integer PRIMARY KEY, name varchar, parent_id integer REFERENCES res_partner, company_id integer,
  country_id integer REFERENCES res_country, commercial_partner_id integer REFERENCES res_partner);
CREATE TABLE res_company (id integer PRIMARY KEY, name varchar NOT NULL UNIQUE, partner_id integer NOT NULL REFERENCES res_partner,
  currency_id integer NOT NULL REFERENCES res_currency, parent_id integer REFERENCES res_company);
ALTER TABLE res_partner ADD FOREIGN KEY (company_id) REFERENCES res_company;
CREATE TABLE res_users (id integer PRIMARY KEY, company_id integer NOT NULL REFERENCES res_company,
  partner_id integer NOT NULL REFERENCES res_partner, create_uid integer REFERENCES res_users);
CREATE TABLE res_company_users_rel (cid integer NOT NULL REFERENCES res_company, user_id integer NOT NULL REFERENCES res_users,
  PRIMARY KEY (cid, user_id));
CREATE TABLE product_template (id integer PRIMARY KEY, company_id integer REFERENCES res_company, create_uid integer REFERENCES res_users);
CREATE TABLE product_product (id integer PRIMARY KEY, product_tmpl_id integer NOT NULL REFERENCES product_template);
CREATE TABLE account_journal (id integer PRIMARY KEY, company_id integer NOT NULL REFERENCES res_company, code varchar(5) NOT NULL);
CREATE TABLE account_move (id integer PRIMARY KEY, journal_id integer NOT NULL REFERENCES account_journal,
  company_id integer REFERENCES res_company, partner_id integer REFERENCES res_partner,
  reversed_entry_id integer REFERENCES account_move);
CREATE TABLE account_move_line (id integer PRIMARY KEY, move_id integer NOT NULL REFERENCES account_move,
  partner_id integer REFERENCES res_partner, product_id integer REFERENCES product_product);
CREATE TABLE sale_order (id integer PRIMARY KEY, company_id integer NOT NULL REFERENCES res_company,
  partner_id integer NOT NULL REFERENCES res_partner, user_id integer REFERENCES res_users);
CREATE TABLE sale_order_line (id integer PRIMARY KEY, order_id integer NOT NULL REFERENCES sale_order,
  product_id integer REFERENCES product_product);
CREATE TABLE sale_order_line_invoice_rel (invoice_line_id integer NOT NULL REFERENCES account_move_line,
  order_line_id integer NOT NULL REFERENCES sale_order_line, PRIMARY KEY (invoice_line_id, order_line_id));
