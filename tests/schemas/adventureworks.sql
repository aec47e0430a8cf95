-- entity: person.businessentity
CREATE SCHEMA person; CREATE SCHEMA humanresources; CREATE SCHEMA sales; CREATE SCHEMA production; CREATE SCHEMA purchasing;
CREATE TABLE person.businessentity (businessentityid serial PRIMARY KEY, rowguid uuid NOT NULL);
CREATE TABLE person.person (businessentityid int PRIMARY KEY REFERENCES person.businessentity, persontype char(2) NOT NULL);
CREATE TABLE person.countryregion (countryregioncode varchar(3) PRIMARY KEY, name varchar(50) NOT NULL);
CREATE TABLE person.emailaddress (businessentityid int NOT NULL REFERENCES person.person, emailaddressid serial NOT NULL,
  emailaddress varchar(50), PRIMARY KEY (businessentityid, emailaddressid));
CREATE TABLE person.phonenumbertype (phonenumbertypeid serial PRIMARY KEY, name varchar(50) NOT NULL);
CREATE TABLE person.personphone (businessentityid int NOT NULL REFERENCES person.person, phonenumber varchar(25) NOT NULL,
  phonenumbertypeid int NOT NULL REFERENCES person.phonenumbertype,
  PRIMARY KEY (businessentityid, phonenumber, phonenumbertypeid));
CREATE TABLE humanresources.department (departmentid serial PRIMARY KEY, name varchar(50) NOT NULL);
CREATE TABLE humanresources.shift (shiftid serial PRIMARY KEY, starttime time NOT NULL);
CREATE TABLE humanresources.employee (businessentityid int PRIMARY KEY REFERENCES person.person, loginid varchar(256) NOT NULL);
CREATE TABLE humanresources.employeedepartmenthistory (
  businessentityid int NOT NULL REFERENCES humanresources.employee,
  departmentid smallint NOT NULL REFERENCES humanresources.department,
  shiftid smallint NOT NULL REFERENCES humanresources.shift, startdate date NOT NULL,
  PRIMARY KEY (businessentityid, startdate, departmentid, shiftid));
CREATE TABLE sales.salesterritory (territoryid serial PRIMARY KEY, countryregioncode varchar(3) NOT NULL REFERENCES person.countryregion);
CREATE TABLE sales.salesperson (businessentityid int PRIMARY KEY REFERENCES humanresources.employee,
  territoryid int REFERENCES sales.salesterritory);
CREATE TABLE sales.store (businessentityid int PRIMARY KEY REFERENCES person.businessentity,
  salespersonid int REFERENCES sales.salesperson);
CREATE TABLE sales.customer (customerid serial PRIMARY KEY, personid int REFERENCES person.person,
  storeid int REFERENCES sales.store, territoryid int REFERENCES sales.salesterritory);
CREATE TABLE sales.salesorderheader (salesorderid serial PRIMARY KEY, customerid int NOT NULL REFERENCES sales.customer,
  salespersonid int REFERENCES sales.salesperson, territoryid int REFERENCES sales.salesterritory);
CREATE TABLE production.product (productid serial PRIMARY KEY, name varchar(50) NOT NULL);
CREATE TABLE sales.specialoffer (specialofferid serial PRIMARY KEY, description varchar(255) NOT NULL);
CREATE TABLE sales.specialofferproduct (specialofferid int NOT NULL REFERENCES sales.specialoffer,
  productid int NOT NULL REFERENCES production.product, PRIMARY KEY (specialofferid, productid));
CREATE TABLE sales.salesorderdetail (salesorderid int NOT NULL REFERENCES sales.salesorderheader,
  salesorderdetailid serial NOT NULL, productid int NOT NULL, specialofferid int NOT NULL,
  FOREIGN KEY (specialofferid, productid) REFERENCES sales.specialofferproduct,
  PRIMARY KEY (salesorderid, salesorderdetailid));
CREATE TABLE purchasing.vendor (businessentityid int PRIMARY KEY REFERENCES person.businessentity, name varchar(50) NOT NULL);
CREATE TABLE purchasing.purchaseorderheader (purchaseorderid serial PRIMARY KEY,
  employeeid int NOT NULL REFERENCES humanresources.employee, vendorid int NOT NULL REFERENCES purchasing.vendor);
