-- entity: store
CREATE TYPE mpaa_rating AS ENUM ('G', 'PG', 'PG-13', 'R', 'NC-17');
CREATE TABLE country (country_id serial PRIMARY KEY, country text NOT NULL);
CREATE TABLE city (city_id serial PRIMARY KEY, city text NOT NULL, country_id integer NOT NULL REFERENCES country);
CREATE TABLE address (address_id serial PRIMARY KEY, address text NOT NULL, city_id integer NOT NULL REFERENCES city);
CREATE TABLE language (language_id serial PRIMARY KEY, name character(20) NOT NULL);
CREATE TABLE film (film_id serial PRIMARY KEY, title text NOT NULL, language_id integer NOT NULL REFERENCES language,
  original_language_id integer REFERENCES language, rating mpaa_rating);
CREATE TABLE actor (actor_id serial PRIMARY KEY, first_name text NOT NULL);
CREATE TABLE film_actor (actor_id integer NOT NULL REFERENCES actor, film_id integer NOT NULL REFERENCES film,
  PRIMARY KEY (actor_id, film_id));
CREATE TABLE category (category_id serial PRIMARY KEY, name text NOT NULL);
CREATE TABLE film_category (film_id integer NOT NULL REFERENCES film, category_id integer NOT NULL REFERENCES category,
  PRIMARY KEY (film_id, category_id));
CREATE TABLE store (store_id serial PRIMARY KEY, manager_staff_id integer NOT NULL, address_id integer NOT NULL REFERENCES address);
CREATE TABLE staff (staff_id serial PRIMARY KEY, first_name text NOT NULL, address_id integer NOT NULL REFERENCES address,
  store_id integer NOT NULL REFERENCES store);
ALTER TABLE store ADD FOREIGN KEY (manager_staff_id) REFERENCES staff;
CREATE TABLE customer (customer_id serial PRIMARY KEY, store_id integer NOT NULL REFERENCES store,
  address_id integer NOT NULL REFERENCES address);
CREATE TABLE inventory (inventory_id serial PRIMARY KEY, film_id integer NOT NULL REFERENCES film,
  store_id integer NOT NULL REFERENCES store);
CREATE TABLE rental (rental_id serial PRIMARY KEY, rental_date timestamptz NOT NULL,
  inventory_id integer NOT NULL REFERENCES inventory, customer_id integer NOT NULL REFERENCES customer,
  staff_id integer NOT NULL REFERENCES staff, UNIQUE (rental_date, inventory_id, customer_id));
CREATE TABLE payment (payment_id serial, customer_id integer NOT NULL REFERENCES customer,
  staff_id integer NOT NULL REFERENCES staff, rental_id integer NOT NULL REFERENCES rental, amount numeric(5,2) NOT NULL,
  payment_date timestamptz NOT NULL, PRIMARY KEY (payment_date, payment_id));
