-- entity: country
CREATE TABLE city (id integer PRIMARY KEY, name text NOT NULL, countrycode character(3) NOT NULL);
CREATE TABLE country (code character(3) PRIMARY KEY, name text NOT NULL, capital integer REFERENCES city, code2 character(2) NOT NULL);
CREATE TABLE countrylanguage (countrycode character(3) NOT NULL REFERENCES country, language text NOT NULL, isofficial boolean NOT NULL,
  PRIMARY KEY (countrycode, language));
CREATE TABLE country_flag (code2 character(2) PRIMARY KEY, emoji text);
ALTER TABLE city ADD FOREIGN KEY (countrycode) REFERENCES country (code);
